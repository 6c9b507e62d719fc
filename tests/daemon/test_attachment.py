"""A connection becomes a terminal, and loses nothing in either direction."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import InvalidParams
from descartes_core.frames import bytes_frame
from descartes_core.jsonrpc import request
from tests.support.inside import Inside, Line, open_inside
from tests.support.programs import agent

pytestmark = pytest.mark.anyio

#: Reads so many bytes without echo, and tells their checksum.
READER = """
import hashlib, os, sys, tty
tty.setraw(0)
os.write(1, b"ready")
if len(sys.argv) > 2:
    open(sys.argv[2]).read()
said = b""
while len(said) < int(sys.argv[1]):
    said += os.read(0, 65536)
os.write(1, hashlib.sha256(said).hexdigest().encode())
"""


async def attached(inside: Inside, identity: str, **more: Any) -> Line:
    line = await inside.line()
    await line.call("agent.attach", agent_id=identity, **more)
    return line


async def an_echoer(inside: Inside) -> str:
    spawned = await inside.spawn(agent("echoer"))
    await inside.until(spawned["id"], b"ready\r\n")
    identity: str = spawned["id"]
    return identity


def reader(count: int, *words: object) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", READER, str(count), *map(str, words)]


async def test_first_comes_a_screen_then_what_follows(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        line = await attached(inside, identity)
        screen = await line.frame()
        assert screen == {"type": "screen", "vt": "ready\r\n", "rows": 24, "cols": 80, "offset": 7}
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


async def test_the_end_is_told_after_the_last_byte(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        line = await attached(inside, identity, offset=7)
        line.tell(type="input", data="exit 4\n")
        assert await line.shown(b"exit 4\r\n")
        assert await line.frame("exit") == {"type": "exit", "exit_code": 4, "signal": None, "cause": "ended_badly"}
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


async def test_a_stalled_watcher_costs_no_memory_and_loses_nothing(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["sh", "-c", "read go; seq 400000"])
        line = await attached(inside, spawned["id"], offset=0)
        line.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await inside.call("agent.write", agent_id=spawned["id"], text="\n")
        await inside.ended(spawned["id"])
        (door,) = [one for one in inside.daemon.door.connections if one._attachment is not None]
        assert door._transport.get_write_buffer_size() < 300_000  # type: ignore[attr-defined]
        line.writer.transport.resume_reading()  # type: ignore[attr-defined]
        seen = await line.shown(b"\n400000\r\n")
        assert seen == await inside.output(spawned["id"])
        assert (await line.frame("exit"))["exit_code"] == 0


async def test_a_large_paste_arrives_whole(short: Path) -> None:
    """What a program did not read in time was once thrown away beyond a megabyte."""
    pasted = os.urandom(3_000_000)
    go = short / "go"
    os.mkfifo(go)
    async with open_inside(short) as inside:
        spawned = await inside.spawn(reader(len(pasted), go))
        line = await attached(inside, spawned["id"], offset=0)
        await line.shown(b"ready")
        for start in range(0, len(pasted), 50_000):
            line.type(pasted[start : start + 50_000])
        (door,) = [one for one in inside.daemon.door.connections if one._attachment is not None]
        while door._transport.is_reading():
            await inside.call("system.health")
        await asyncio.to_thread(go.write_text, "go")
        assert await line.shown(hashlib.sha256(pasted).hexdigest().encode())


async def test_what_comes_with_the_call_is_typed(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        line = await inside.line()
        call = request("agent.attach", {"agent_id": identity, "offset": 7}, 1)
        line.writer.write(call + bytes_frame(b"early\n"))
        assert (await line.heard())["result"]["agent"]["id"] == identity
        assert b"heard: early" in await line.shown(b"heard: early")


async def test_one_types_and_the_pen_is_passed_on(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        first, second = await attached(inside, identity), await attached(inside, identity)
        second.type(b"not mine\n")
        holder = f"pid {os.getpid()}"
        assert await second.frame("pen") == {"type": "pen", "holder": holder}
        second.tell(type="take")
        assert await first.frame("pen") == {"type": "pen", "holder": holder}
        second.type(b"mine\n")
        await second.shown(b"heard: mine")
        assert b"not mine" not in await inside.output(identity)
        await second.close()
        assert await first.frame("pen") == {"type": "pen", "holder": None}
        first.type(b"again\n")
        await first.shown(b"heard: again")


async def test_who_only_reads_types_nothing(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        line = await attached(inside, identity, mode="ro")
        line.tell(type="take")
        line.type(b"x\n")
        assert await line.frame("pen") == {"type": "pen", "holder": None}
        assert await inside.output(identity) == b"ready\r\n"


async def test_a_size_is_set_and_told_to_all(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        first, second = await attached(inside, identity), await attached(inside, identity)
        first.tell(type="resize", rows=50, cols=132)
        assert await second.frame("resize") == {"type": "resize", "rows": 50, "cols": 132}
        assert inside.agent(identity).body.terminal.size == (50, 132)  # type: ignore[union-attr]
        second.tell(type="resize", rows=5, cols=5)
        second.type(b"?")
        await second.frame("pen")
        detail = (await inside.call("agent.get", agent_id=identity))["agent"]
        assert (detail["rows"], detail["cols"]) == (50, 132)


async def test_two_who_come_at_once_leave_the_size_as_it_was(short: Path) -> None:
    """Each makes the program paint anew by another size for a moment; the second once took that for the real one."""
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        lines = await asyncio.gather(*(attached(inside, identity) for _ in range(3)))
        terminal = inside.agent(identity).body.terminal  # type: ignore[union-attr]
        for line in lines:
            await line.frame("screen")
        await repainted()
        assert terminal.size == (24, 80)
        first = await attached(inside, identity)
        await inside.call("agent.resize", agent_id=identity, rows=23, cols=80)
        await repainted()
        assert terminal.size == (23, 80)
        assert (await first.frame("resize"))["rows"] == 23


async def repainted() -> None:
    """Wait until every program has been made to paint anew; the daemon works in this very loop."""
    await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name().startswith("repaint")))


async def test_the_callers_size_comes_with_the_call(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        line = await attached(inside, identity, rows=30, cols=100)
        assert await line.frame("resize") == {"type": "resize", "rows": 30, "cols": 100}


async def test_a_program_paints_anew_for_who_attaches(short: Path) -> None:
    async with open_inside(short) as inside:
        script = "trap 'stty size' WINCH; echo ready; while :; do read -t 60 x; done"
        spawned = await inside.spawn(["bash", "-c", script], rows=24, cols=80)
        await inside.until(spawned["id"], b"ready")
        line = await attached(inside, spawned["id"], rows=24, cols=80)
        assert b"23 80" in await line.shown(b"24 80")


@pytest.mark.parametrize(
    "nonsense",
    [
        b"xxxxxxxx",
        b"B\xff\xff\xff\xff",
        b"J\0\0\0\x02[]",
        b"J\0\0\0\x01{",
        b'J\0\0\0\x24{"type":"input","data":"\\ud800"}      ',
    ],
)
async def test_what_is_no_frame_closes_the_connection_and_nothing_else(short: Path, nonsense: bytes) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        line, other = await attached(inside, identity), await attached(inside, identity)
        line.writer.write(nonsense)
        while await line.frame() is not None:
            pass
        other.type(b"still\n")
        await other.shown(b"heard: still")


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "nonsense"},
        {"type": "resize"},
        {"type": "resize", "rows": 0, "cols": 80},
        {"type": "resize", "rows": "x", "cols": 80},
        {"type": "input", "data": 5},
    ],
)
async def test_a_frame_that_means_nothing_does_nothing(short: Path, frame: dict[str, Any]) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        line = await attached(inside, identity, offset=7)
        line.tell(**frame)
        line.type(b"on\n")
        await line.shown(b"heard: on")
        assert inside.agent(identity).body.terminal.size == (24, 80)  # type: ignore[union-attr]


async def test_who_typed_is_noted_but_not_what(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        line = await attached(inside, identity)
        line.type(b"secret\n")
        await line.shown(b"heard: secret")
        await line.close()
        while not (inputs := await inside.daemon.store.inputs(identity)):
            await inside.call("system.health")
        assert [(client, length) for _, client, length in inputs] == [(f"pid {os.getpid()}", 7)]


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
