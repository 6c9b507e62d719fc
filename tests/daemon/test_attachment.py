"""A connection becomes a terminal, and loses nothing of what is said."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import InvalidParams, Refused
from descartes_daemon.agent import Agent
from descartes_daemon.attachment import MOST_NONSENSE, House
from descartes_daemon.screens import Screens, Shown
from tests.support.attached import an_echoer, attached, tasks_done
from tests.support.inside import Inside, open_inside

pytestmark = pytest.mark.anyio

SIGHTED = ["bash", "-c", "trap 'stty size' WINCH; echo ready; while :; do read -t 60 x; done"]


class Knowing(Screens):
    """Shows what it is told to, as an emulator or without one."""

    def __init__(self, *, is_exact: bool) -> None:
        super().__init__(1 << 20)
        self._is_exact = is_exact

    async def at(self, agent: Agent, offset: int | None = None) -> Shown:
        return replace(await super().at(agent, offset), is_exact=self._is_exact)


class Blind(Screens):
    """Shows nothing."""

    async def at(self, agent: Agent, offset: int | None = None) -> Shown:
        raise Refused("there is no screen today")


@contextlib.asynccontextmanager
async def knowing(inside: Inside, *, is_exact: bool) -> AsyncIterator[None]:
    """Let the daemon have an emulator, or none."""
    attaching = inside.daemon.attaching
    with closing(Knowing(is_exact=is_exact)) as screens:
        attaching._house = House(inside.daemon.agents, screens, attaching._house.comings)
        yield


async def test_first_comes_a_screen_then_the_pen_then_what_follows(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        line = await attached(inside, identity)
        screen = await line.frame()
        assert "ready" in screen.pop("vt")
        screen.pop("exact")
        assert screen == {"type": "screen", "rows": 24, "cols": 80, "offset": 7}
        assert await line.frame() == {"type": "pen", "holder": f"pid {os.getpid()}", "yours": True}
        line.type(b"hello\n")
        assert await line.shown(b"heard: hello\r\n") == b"hello\r\nheard: hello\r\n"


async def test_from_an_offset_come_the_logs_bytes(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        line = await attached(inside, identity, offset=2)
        assert await line.frame() == {"type": "offset", "offset": 2}
        assert await line.shown(b"\n") == b"ady\r\n"


async def test_an_offset_beyond_the_end_is_refused(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        line = await inside.line()
        with pytest.raises(InvalidParams, match="beyond"):
            await line.call("agent.attach", agent_id=identity, offset=8)
        await line.call("agent.attach", agent_id=identity, offset=7)


async def test_what_was_dropped_is_told_and_what_follows_has_its_offset(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        inside.agent(identity).log.begin = 4
        line = await attached(inside, identity, offset=2)
        assert await line.frame() == {"type": "offset", "offset": 2}
        await line.frame("pen")
        gap = await line.frame()
        assert gap.pop("reason")
        assert gap == {"type": "gap", "begin": 2, "end": 4}
        assert await line.frame() == {"type": "offset", "offset": 4}
        assert await line.shown(b"\n") == b"y\r\n"


async def test_the_end_is_told_after_the_last_byte(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        line = await attached(inside, identity, offset=7)
        line.tell(type="input", data="exit 4\n")
        assert await line.shown(b"exit 4\r\n")
        assert await line.frame("exit") == {
            "type": "exit",
            "exit_code": 4,
            "signal": None,
            "cause": "ended_badly",
            "ended_by": None,
        }
        assert await line.frame() is None


async def test_who_comes_after_the_end_sees_what_was_said(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["echo", "bye"])
        await inside.ended(spawned["id"])
        await inside.gone(spawned["id"])
        line = await attached(inside, spawned["id"], offset=0)
        assert await line.shown(b"bye\r\n") == b"bye\r\n"
        assert (await line.frame("exit"))["exit_code"] == 0


async def test_a_cut_log_does_not_hold_up_the_daemon(short: Path) -> None:
    """The daemon once went round in circles for ever, waiting for bytes that somebody had removed."""
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["echo", "bye"])
        await inside.ended(spawned["id"])
        await inside.gone(spawned["id"])
        ended = await inside.daemon.agents.find(spawned["id"])
        line = await inside.line()
        os.truncate(ended.log.path, 2)
        await line.call("agent.attach", agent_id=spawned["id"], offset=0)
        assert await line.shown(b"by") == b"by"
        assert (await line.frame("exit"))["exit_code"] == 0


async def test_a_program_paints_anew_where_nobody_knows_its_screen(short: Path) -> None:
    async with open_inside(short) as inside, knowing(inside, is_exact=False):
        spawned = await inside.spawn(SIGHTED, rows=24, cols=80)
        await inside.until(spawned["id"], b"ready")
        line = await attached(inside, spawned["id"], rows=24, cols=80)
        assert b"23 80" in await line.shown(b"24 80")


async def test_a_program_is_left_alone_where_its_screen_is_known(short: Path) -> None:
    async with open_inside(short) as inside, knowing(inside, is_exact=True):
        spawned = await inside.spawn(SIGHTED, rows=24, cols=80)
        await inside.until(spawned["id"], b"ready")
        line = await attached(inside, spawned["id"], rows=24, cols=80)
        assert (await line.frame())["exact"]
        await tasks_done("screen of")
        line.tell(type="resize", rows=30, cols=90)
        assert b"30 90" in await line.shown(b"30 90")
        assert b"23 80" not in await inside.output(spawned["id"])


async def test_without_a_screen_the_bytes_still_come(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        with closing(Blind(1 << 20)) as blind:
            attaching = inside.daemon.attaching
            attaching._house = House(inside.daemon.agents, blind, attaching._house.comings)
            line = await attached(inside, identity)
            assert await line.frame() == {"type": "offset", "offset": 7}
            assert (await line.frame("error"))["message"] == "there is no screen today"
            line.type(b"on\n")
            assert await line.shown(b"heard: on\r\n") == b"on\r\nheard: on\r\n"


async def test_a_screen_may_be_asked_for_again_and_what_follows_goes_on_from_it(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        line = await attached(inside, identity, offset=0)
        await line.shown(b"ready\r\n")
        for _ in range(50):
            line.tell(type="screen")
        screen = await line.frame("screen")
        assert screen["offset"] == 7
        line.type(b"on\n")
        assert await line.shown(b"heard: on\r\n") == b"on\r\nheard: on\r\n"


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "nonsense"},
        {"type": "resize"},
        {"type": "resize", "rows": 0, "cols": 80},
        {"type": "resize", "rows": True, "cols": 80},
        {"type": "resize", "rows": "x", "cols": 80},
        {"type": "input", "data": 5},
    ],
)
async def test_a_frame_that_means_nothing_is_told_and_does_nothing(short: Path, frame: dict[str, Any]) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        line = await attached(inside, identity, offset=7)
        line.tell(**frame)
        assert (await line.frame("error"))["code"] == "invalid_params"
        line.type(b"on\n")
        await line.shown(b"heard: on")
        assert inside.agent(identity).body.size == (24, 80)  # type: ignore[union-attr]


async def test_too_much_nonsense_ends_the_connection(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        line = await attached(inside, identity, offset=7)
        for _ in range(MOST_NONSENSE):
            line.tell(type="nonsense")
        while await line.frame() is not None:
            pass
        assert inside.agent(identity).listeners == set()


async def test_who_lets_go_leaves_the_agent_running(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        line = await attached(inside, identity)
        await line.close()
        while inside.agent(identity).pen is not None:
            await inside.call("system.health")
        found = inside.agent(identity)
        assert (found.log.followers, found.listeners) == (set(), set())
        assert found.row.state == "running"
