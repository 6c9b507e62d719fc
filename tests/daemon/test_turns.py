from __future__ import annotations

import asyncio

import pytest

from descartes_daemon.turns import Turns

pytestmark = pytest.mark.anyio


async def a_turn() -> None:
    """Let everybody else have one turn of the loop."""
    done = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(done.set_result, None)
    await done


async def test_few_begin_in_one_turn_and_each_in_its_order() -> None:
    turns, begun, seen = Turns(2), list[int](), list[int]()

    async def one(number: int) -> None:
        await turns.take()
        begun.append(number)

    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(one(number))
        while len(begun) < 20:
            before = len(begun)
            await a_turn()
            seen.append(len(begun) - before)
    assert begun == list(range(20))
    assert max(seen) <= 4, "a look may fall between two turns"


async def test_who_goes_away_takes_no_turn() -> None:
    turns = Turns(1)
    await turns.take()
    gone = [asyncio.ensure_future(turns.take()) for _ in range(5)]
    stays = asyncio.ensure_future(turns.take())
    await a_turn()
    for one in gone:
        one.cancel()
    async with asyncio.timeout(5):
        await stays


async def test_at_rest_nothing_is_due() -> None:
    turns = Turns(1)
    await turns.take()
    for _ in range(5):
        await a_turn()
    assert not turns._is_turning
