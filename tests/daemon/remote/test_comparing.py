"""A runner is asked how its agents are once at a time, however often there is a reason."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from descartes_core.bus.messages import ListAgentsRequest
from tests.support.programs import agent
from tests.support.two_machines import two_machines

pytestmark = pytest.mark.anyio


async def test_many_reasons_are_few_questions(short: Path) -> None:
    async with two_machines(short) as both:
        await both.spawn(agent("silent"))
        machines = both.inside.daemon.machines
        assert machines is not None
        comparing = machines._comparing
        before = sum(isinstance(message, ListAgentsRequest) for _, message in both.hub.heard)
        for _ in range(50):
            comparing.soon("big")
        await asyncio.wait([comparing._tasks["big"]])
        asked = sum(isinstance(message, ListAgentsRequest) for _, message in both.hub.heard) - before
        assert 1 <= asked <= 3
