"""Who is connected is counted, and who takes too long or is in the way leaves."""

from __future__ import annotations

import asyncio

import pytest

from descartes_core.errors import LimitReached
from descartes_daemon.visitors import Visitor, Visitors

pytestmark = pytest.mark.anyio


class Door:
    """Lets visitors in, and notes who was sent away."""

    def __init__(self, most: int, read_timeout: float = 3600.0) -> None:
        self.visitors = Visitors(most, read_timeout)
        self.left: list[int] = []
        self.someone_left = asyncio.Event()

    def come(self) -> Visitor:
        number = self.visitors.total

        def leave() -> None:
            self.left.append(number)
            self.someone_left.set()

        return self.visitors.come(leave)


async def test_the_silent_leave_first_then_those_heard_of_longest_ago() -> None:
    door = Door(2)
    everybody = [door.come() for _ in range(18)]
    everybody[0].works()
    everybody[0].rests()
    everybody[1].works()
    door.come()
    assert door.left == [2]
    for _ in range(17):
        door.come()
    # All silent ones of the beginning went, then the first newcomers; the one that spoke would be next, the busy never.
    assert door.left == [*range(2, 18), 18, 19][:18]
    assert not door.visitors._guests.is_full or len(door.visitors._guests) == 18


async def test_where_all_are_busy_the_newcomer_leaves() -> None:
    door = Door(2)
    everybody = [door.come() for _ in range(18)]
    for visitor in everybody:
        visitor.works()
    assert [visitor.is_too_many for visitor in everybody] == [False] * 2 + [True] * 16
    door.come()
    assert door.left == [18]
    everybody[5].gone()
    door.come()
    assert door.left == [18]


async def test_who_takes_too_long_leaves_and_no_timer_stays() -> None:
    door = Door(10, read_timeout=0.05)
    slow, done = door.come(), door.come()
    done.has_it_all()
    async with asyncio.timeout(10):
        await door.someone_left.wait()
    assert door.left == [0]
    slow.gone()
    timers = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    assert [timer for timer in timers if not timer.cancelled() and "_look" in repr(timer)] == []


async def test_more_of_a_body_gives_more_time_and_more_of_a_head_does_not() -> None:
    door = Door(10)
    head, body = door.come(), door.come()
    expected = door.visitors._expected
    first = expected[head]
    head.reads(anew=False)
    assert expected[head] == first
    body.reads(anew=True)
    assert list(expected) == [head, body]
    head.reads(anew=True)
    assert list(expected) == [body, head]


async def test_kinds_are_counted_apart() -> None:
    door = Door(10)
    door.come().is_websocket = True
    door.come()
    gone = door.come()
    gone.gone()
    assert (door.visitors.count(websockets=True), door.visitors.count(websockets=False)) == (1, 1)
    assert door.visitors.total == 3


async def test_who_holds_most_leaves_when_all_hold_too_much() -> None:
    door = Door(10)
    door.visitors = Visitors(10, 3600.0, most_held=640)
    small, large, last = door.come(), door.come(), door.come()
    for visitor, size in ((small, 100), (large, 400)):
        visitor.works()
        visitor.holds(size)
    last.works()
    last.holds(140)
    assert door.left == []
    last.holds(141)
    assert door.left == [1]
    with pytest.raises(LimitReached, match="640 bytes"):
        last.holds(541)
    small.rests()
    last.holds(640)
    assert (door.left, small.held) == ([1], 0)
