"""One types at a time, and gives the terminal its size."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from descartes_daemon.typist import LARGEST_INPUT
from tests.support.attached import an_echoer, attached, reader, tasks_done
from tests.support.inside import Inside, open_inside

pytestmark = pytest.mark.anyio


def pen(name: str | None, *, yours: bool = False) -> dict[str, object]:
    """Return the frame that tells who types."""
    holder = name and f"{name} (pid {os.getpid()})"
    return {"type": "pen", "holder": holder, "yours": yours}


async def test_one_types_and_the_pen_is_passed_on(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        ada = await attached(inside, identity, client="ada")
        bob = await attached(inside, identity, client="bob")
        assert await ada.frame("pen") == pen("ada", yours=True)
        assert await bob.frame("pen") == pen("ada")
        bob.type(b"not mine\n")
        assert await bob.frame("pen") == pen("ada")
        assert (await bob.frame("error"))["code"] == "refused"
        bob.tell(type="take")
        assert await bob.frame("pen") == pen("bob", yours=True)
        assert await ada.frame("pen") == pen("bob")
        bob.type(b"mine\n")
        await bob.shown(b"heard: mine")
        assert b"not mine" not in await inside.output(identity)
        await bob.close()
        assert await ada.frame("pen") == pen(None)
        ada.type(b"again\n")
        assert await ada.frame("pen") == pen("ada", yours=True)
        await ada.shown(b"heard: again")


async def test_what_is_typed_without_the_pen_is_told_to_be_done_with(short: Path) -> None:
    """Else it would be typed again when the connection breaks."""
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        await attached(inside, identity)
        other = await attached(inside, identity)
        other.type(b"12345")
        assert await other.frame("took") == {"type": "took", "bytes": 5}


async def test_who_only_reads_types_nothing(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        line = await attached(inside, identity, mode="ro")
        line.tell(type="take")
        assert (await line.frame("error"))["code"] == "refused"
        line.type(b"x\n")
        assert (await line.frame("error"))["code"] == "refused"
        assert inside.agent(identity).pen is None
        assert await inside.output(identity) == b"ready\r\n"


async def test_the_size_of_who_types_holds_and_is_told_to_all(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        first, second = await attached(inside, identity), await attached(inside, identity)
        first.tell(type="resize", rows=50, cols=132)
        assert await second.frame("resize") == {"type": "resize", "rows": 50, "cols": 132}
        second.tell(type="resize", rows=5, cols=5)
        second.type(b"?")
        await second.frame("error")
        assert await size(inside, identity) == (50, 132)
        second.tell(type="take")
        assert await first.frame("resize") == {"type": "resize", "rows": 50, "cols": 132}
        assert await first.frame("resize") == {"type": "resize", "rows": 5, "cols": 5}
        assert await size(inside, identity) == (5, 5)
        first.type(b"still not")
        await first.frame("error")
        await second.close()
        await first.frame("pen")
        first.type(b"?")
        assert await first.frame("resize") == {"type": "resize", "rows": 50, "cols": 132}


async def test_a_new_size_is_told_at_its_place_among_the_bytes(short: Path) -> None:
    """Who is behind paints what came before in the size it had."""
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["sh", "-c", "seq 100000; read go; echo wide"], rows=24, cols=80)
        slow = await attached(inside, spawned["id"], offset=0, mode="ro")
        slow.writer.transport.pause_reading()  # type: ignore[attr-defined]
        before = len(await inside.until(spawned["id"], b"\n100000\r\n"))
        await inside.call("agent.resize", agent_id=spawned["id"], rows=30, cols=200)
        await inside.call("agent.write", agent_id=spawned["id"], text="\n")
        await inside.ended(spawned["id"])
        slow.writer.transport.resume_reading()  # type: ignore[attr-defined]
        seen = 0
        while isinstance(frame := await slow.frame(), bytes) or frame["type"] != "resize":
            seen += len(frame) if isinstance(frame, bytes) else 0
        assert seen == before


async def size(inside: Inside, identity: str) -> tuple[int, int]:
    """Return what the terminal has, which is what is remembered of it."""
    detail = (await inside.call("agent.get", agent_id=identity))["agent"]
    body = inside.agent(identity).body
    assert body is not None
    assert body.size == (detail["rows"], detail["cols"])
    return body.size


async def test_of_many_sizes_in_a_row_the_last_one_counts(short: Path) -> None:
    """Each one is a signal to the program, a record beside the log and a write to the store."""
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        line = await attached(inside, identity, offset=0)
        told = []
        inside.agent(identity).listeners.add(told.append)
        for rows in range(1, 1001):
            line.tell(type="resize", rows=rows, cols=50)
        while (await inside.call("agent.get", agent_id=identity))["agent"]["rows"] != 1000:
            pass
        assert await size(inside, identity) == (1000, 50)
        assert len(told) < 100
        inside.agent(identity).listeners.discard(told.append)


async def test_two_who_come_at_once_leave_the_size_as_it_was(short: Path) -> None:
    """Each may make the program paint anew by another size for a moment; the second once took that for the real one."""
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        lines = await asyncio.gather(*(attached(inside, identity) for _ in range(3)))
        for line in lines:
            await line.frame("screen")
        await tasks_done("screen of")
        assert await size(inside, identity) == (24, 80)
        first = await attached(inside, identity)
        await inside.call("agent.resize", agent_id=identity, rows=23, cols=80)
        await tasks_done("screen of")
        assert await size(inside, identity) == (23, 80)
        while (frame := await first.frame())["type"] not in ("resize", "screen"):
            pass
        assert frame["rows"] in (23, 24)


async def test_the_callers_size_is_that_of_the_screen_that_is_shown(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        line = await attached(inside, identity, rows=30, cols=100)
        screen = await line.frame()
        assert (screen["type"], screen["rows"], screen["cols"]) == ("screen", 30, 100)
        watcher = await attached(inside, identity, rows=5, cols=7)
        screen = await watcher.frame()
        assert (screen["type"], screen["rows"], screen["cols"]) == ("screen", 30, 100)


async def test_too_much_in_one_frame_ends_the_connection(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(reader(LARGEST_INPUT))
        line = await attached(inside, spawned["id"], offset=0)
        await line.shown(b"ready")
        line.type(b"x" * (LARGEST_INPUT + 1))
        while await line.frame() is not None:
            pass
        again = await attached(inside, spawned["id"], offset=5)
        again.type(b"x" * LARGEST_INPUT)
        assert (await again.frame("exit"))["exit_code"] == 0


async def test_who_typed_is_noted_but_not_what(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        line = await attached(inside, identity, client="ada@pts/3")
        line.type(b"secret\n")
        await line.shown(b"heard: secret")
        await line.close()
        while not (inputs := await inside.daemon.store.inputs(identity)):
            await inside.call("system.health")
        assert [(client, length) for _, client, length in inputs] == [(f"ada@pts/3 (pid {os.getpid()})", 7)]
