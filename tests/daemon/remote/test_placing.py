"""Who waits for a runner, and for how long."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from descartes_core.bus.link import LinkState
from descartes_core.bus.messages import Peer
from descartes_core.errors import Refused
from descartes_core.messages.agents import Spawn
from descartes_daemon.remote.placing import Placing
from descartes_daemon.remote.runners import Bus, Runners

pytestmark = pytest.mark.anyio


def runner(**more: Any) -> Peer:
    """Return a runner for one agent."""
    known = {"name": "big", "role": "runner", "state": "connected", "key": "k", "since": "2026-01-01T00:00:00.000000Z"}
    return Peer(capacity=1, **{**known, **more})


def on(name: str, within: float = 20.0) -> Spawn:
    """Return a wish for a place that may be waited for."""
    return Spawn(request_id="x", command=["true"], on=name, queue=True, within=within)


async def test_each_waits_for_what_it_wants_in_the_order_of_coming() -> None:
    peers: dict[str, Peer] = {}
    runners = Runners()
    runners.bus = cast(Bus, SimpleNamespace(peers=peers, state=LinkState.CONNECTED))
    placing = Placing(runners)
    in_vain, first, second = (asyncio.create_task(placing.choose(on(name))) for name in ("nobody", "big", "any"))
    assert (await asyncio.wait([in_vain, first, second], timeout=0.05))[0] == set()
    peers["big"] = runner()
    placing.came(peers["big"])
    async with asyncio.timeout(5):
        assert (await first)[0] == peers["big"]
    assert not second.done()
    peers["small"] = runner(name="small")
    placing.came(peers["small"])
    async with asyncio.timeout(5):
        assert (await second)[0].name == "small"
    in_vain.cancel()
    with pytest.raises(Refused, match="big is neither called nor labelled nobody"):
        await placing.choose(on("nobody", within=0.01))
