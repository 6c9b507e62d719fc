"""Events told to a hundred subscribers."""

from __future__ import annotations

import asyncio
import json
import statistics
import time

from websockets.asyncio.client import ClientConnection, connect

from descartes_local.token import read_or_make
from tests.bench.figures import Figure
from tests.bench.ground import Ground, running_session
from tests.support.programs import agent

LISTENERS, ROUNDS = 100, 50


def measure() -> list[Figure]:
    """Time from asking for a pause to the last subscriber's knowing of it."""
    with running_session() as ground:
        ground.fill(10)
        first, last, one = asyncio.run(_tell(ground))
    return [
        Figure(
            f"an event, to the last of {LISTENERS} subscribers",
            f"{last * 1e3:.1f} ms after it was asked for",
            f"one subscriber alone {one * 1e3:.1f} ms",
            "complete",
            f"first of them after {first * 1e3:.1f} ms; all had each of {ROUNDS} events",
        ),
    ]


async def _tell(ground: Ground) -> tuple[float, float, float]:
    headers = {"Authorization": f"Bearer {read_or_make(ground.person.home)}"}
    url = f"{ground.daemon.ws_endpoint}/events"
    with ground.connect() as connection:
        changed = ground.spawn(connection, agent("silent"))
    alone = await connect(url, additional_headers=headers)
    await _subscribe(alone)
    one = statistics.median([max(await _round(ground, changed, number, [alone])) for number in range(ROUNDS)])
    await alone.close()
    listeners = [await connect(url, additional_headers=headers) for _ in range(LISTENERS)]
    for listener in listeners:
        await _subscribe(listener)
    rounds = [await _round(ground, changed, number, listeners) for number in range(ROUNDS)]
    for listener in listeners:
        await listener.close()
    return statistics.median(map(min, rounds)), statistics.median(map(max, rounds)), one


async def _subscribe(listener: ClientConnection) -> None:
    await listener.send(json.dumps({"type": "Subscribe", "payload": {"filter": {"event_categories": ["agent"]}}}))
    assert json.loads(await listener.recv())["type"] == "SubscriptionConfirmed"


async def _round(ground: Ground, changed: str, number: int, listeners: list[ClientConnection]) -> list[float]:
    begin = time.perf_counter()
    waiting = [asyncio.create_task(_next(listener, begin)) for listener in listeners]
    await asyncio.to_thread(_change, ground, changed, "agent.resume" if number % 2 else "agent.pause")
    return await asyncio.gather(*waiting)


def _change(ground: Ground, changed: str, method: str) -> None:
    with ground.connect() as connection:
        connection.call(method, {"agent_id": changed})


async def _next(listener: ClientConnection, begin: float) -> float:
    while json.loads(await listener.recv())["type"] != "Event":
        continue
    return time.perf_counter() - begin
