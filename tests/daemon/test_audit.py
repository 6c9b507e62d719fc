"""Who typed how much is kept, by whichever door it came; what was typed is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from descartes_core.errors import AgentNotFound
from tests.support.attached import an_echoer, attached
from tests.support.terminal_doors import open_terminals

pytestmark = pytest.mark.anyio


async def test_every_door_is_told_with_its_client_and_length(short: Path) -> None:
    async with open_terminals(short) as doors:
        inside = doors.inside
        identity = await an_echoer(inside)
        await inside.call("agent.write", agent_id=identity, text="by a call\n")
        line = await attached(inside, identity, client="ada@pts/1")
        line.type(b"by a terminal\n")
        await line.shown(b"heard: by a terminal")
        await line.close()
        await doors.alone(identity)
        async with doors.watch(identity, client="a page") as page:
            await page.type(b"by a page\n")
            await page.shown(b"heard: by a page")
        await doors.alone(identity)
        while (audit := await inside.call("agent.audit", agent_id=identity))["count"] < 3:
            pass
        told = [(one["client"].partition(" (ws")[0], one["length"]) for one in audit["inputs"]]
        assert told == [(f"pid {os.getpid()}", 10), (f"ada@pts/1 (pid {os.getpid()})", 14), ("a page", 10)]
        assert (audit["count"], audit["bytes"]) == (3, 34)
        newest = await inside.call("agent.audit", agent_id=identity, limit=1)
        assert newest == {"inputs": audit["inputs"][2:], "count": 3, "bytes": 34}


async def test_an_ended_agents_audit_stays_and_an_unknown_ones_is_refused(short: Path) -> None:
    async with open_terminals(short) as doors:
        identity = await an_echoer(doors.inside)
        await doors.inside.call("agent.write", agent_id=identity, text="exit 0\n")
        await doors.inside.ended(identity)
        await doors.inside.gone(identity)
        assert (await doors.inside.call("agent.audit", agent_id=identity))["count"] == 1
        with pytest.raises(AgentNotFound):
            await doors.inside.call("agent.audit", agent_id="nobody")


async def test_what_was_typed_is_written_nowhere(short: Path) -> None:
    async with open_terminals(short) as doors:
        identity = await an_echoer(doors.inside)
        line = await attached(doors.inside, identity)
        doors.inside.agent(identity).log.followers.clear()
        secret = b"correct-horse-battery"
        line.type(secret + b"\n")
        await doors.inside.until(identity, b"heard: correct")
        await line.close()
        await doors.alone(identity)
    found = [path for path in short.rglob("*") if path.is_file() and secret in path.read_bytes()]
    assert {path.name for path in found} == {"output.log"}  # its terminal echoed it
