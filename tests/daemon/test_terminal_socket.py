"""A WebSocket becomes a terminal; who breaks the rules is told so, and harms nobody."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
import websockets

from descartes_daemon.attachment import MOST_NONSENSE
from descartes_daemon.typist import LARGEST_INPUT
from tests.support.attached import an_echoer, reader
from tests.support.leftovers import open_descriptors
from tests.support.tcp_doors import TOKEN
from tests.support.terminal_doors import TerminalDoors, Watcher, open_terminals

pytestmark = pytest.mark.anyio


async def test_first_comes_a_screen_then_the_pen_then_bytes(short: Path) -> None:
    async with open_terminals(short) as doors:
        identity = await an_echoer(doors.inside)
        async with doors.watch(identity, rows=30, cols=90, client="a page") as page:
            screen = await page.frame()
            assert "ready" in screen.pop("vt")
            screen.pop("exact")
            assert screen == {"type": "screen", "rows": 30, "cols": 90, "offset": 7}
            pen = await page.frame()
            assert pen["yours"]
            assert pen["holder"].startswith("a page (ws 127.0.0.1:")
            await page.type(b"hello\n")
            assert await page.shown(b"heard: hello\r\n") == b"hello\r\nheard: hello\r\n"
            await page.tell(type="input", data="exit 4\n")
            exit_frame = await page.frame("exit")
            assert exit_frame == {
                "type": "exit",
                "exit_code": 4,
                "signal": None,
                "cause": "ended_badly",
                "ended_by": None,
            }
            assert await page.closed() == (1000, "the agent has ended")


async def test_from_an_offset_come_the_logs_bytes_and_what_was_dropped_is_told(short: Path) -> None:
    async with open_terminals(short) as doors:
        identity = await an_echoer(doors.inside)
        async with doors.watch(identity, from_=2, mode="ro") as page:
            assert await page.frame() == {"type": "offset", "offset": 2}
            assert await page.shown(b"\n") == b"ady\r\n"
        doors.inside.agent(identity).log.begin = 4
        async with doors.watch(identity, from_=0, mode="ro") as page:
            gap = await page.frame("gap")
            assert (gap["begin"], gap["end"]) == (0, 4)
            assert await page.frame() == {"type": "offset", "offset": 4}
            assert await page.shown(b"\n") == b"y\r\n"


async def test_an_ended_agent_is_shown_to_its_end(short: Path) -> None:
    async with open_terminals(short) as doors:
        spawned = await doors.inside.spawn(["echo", "bye"])
        await doors.inside.ended(spawned["id"])
        await doors.inside.gone(spawned["id"])
        async with doors.watch(spawned["id"], from_=0) as page:
            assert await page.shown(b"bye\r\n") == b"bye\r\n"
            assert (await page.frame("exit"))["exit_code"] == 0


async def test_a_page_and_a_unix_connection_pass_the_pen(short: Path) -> None:
    async with open_terminals(short) as doors:
        identity = await an_echoer(doors.inside)
        async with doors.watch(identity, client="page") as page:
            await page.frame("pen")
            line = await doors.inside.line()
            await line.call("agent.attach", agent_id=identity, client="shell", rows=40, cols=100)
            assert (await line.frame("pen"))["holder"].startswith("page")
            line.tell(type="take")
            pen = await page.frame("pen")
            assert (pen["holder"], pen["yours"]) == (f"shell (pid {os.getpid()})", False)
            assert await page.frame("resize") == {"type": "resize", "rows": 40, "cols": 100}
            await page.type(b"not mine\n")
            assert (await page.frame("error"))["code"] == "refused"
            await page.tell(type="take")
            assert (await page.frame("pen"))["yours"]
            await page.type(b"mine\n")
            await page.shown(b"heard: mine")
        while (pen := await line.frame("pen"))["holder"] is not None:
            pass
        assert pen["yours"] is False


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("nobody", {}, 404),
        ("{id}", {"from": "99"}, 400),
        ("{id}", {"from": "-1"}, 400),
        ("{id}", {"from": "x"}, 400),
        ("{id}", {"from": "9" * 30}, 400),
        ("{id}", {"mode": "rwx"}, 400),
        ("{id}", {"rows": "0", "cols": "80"}, 400),
        ("{id}", {"client": "\x1b[2J"}, 400),
        ("{id}", {"client": "x" * 101}, 400),
        ("{id}", {"took": "yes"}, 400),
        ("{id}", {"secret": "1"}, 400),
    ],
)
async def test_who_asks_for_what_is_not_there_is_told_before_anything_is_accepted(
    short: Path, path: str, query: dict[str, str], status: int
) -> None:
    async with open_terminals(short) as doors:
        identity = await an_echoer(doors.inside)
        with pytest.raises(websockets.InvalidStatus) as refused:
            async with doors.connect(path.format(id=identity), **query):
                pass
        assert refused.value.response.status_code == status
        assert json.loads(refused.value.response.body or b"")["error"]["data"]["status"] == status


async def test_nobody_comes_in_without_the_token(short: Path) -> None:
    async with open_terminals(short) as doors:
        identity = await an_echoer(doors.inside)
        address = f"ws://127.0.0.1:{doors.ws}/agents/{identity}/terminal"
        with pytest.raises(websockets.InvalidStatus):
            async with websockets.connect(address, proxy=None):
                pass


async def test_a_page_shows_the_token_in_its_first_message(short: Path) -> None:
    async with open_terminals(short) as doors:
        identity = await an_echoer(doors.inside)
        address = f"ws://127.0.0.1:{doors.ws}/agents/{identity}/terminal"
        origin: Any = f"http://127.0.0.1:{doors.http}"
        async with websockets.connect(f"{address}?from=0", origin=origin, proxy=None) as connection:
            await connection.send(json.dumps({"type": "auth", "token": TOKEN}))
            assert await Watcher(connection).shown(b"ready") == b"ready\r\n"
        async with websockets.connect(f"{address}?from=99", origin=origin, proxy=None) as connection:
            await connection.send(json.dumps({"type": "auth", "token": TOKEN}))
            code, reason = await Watcher(connection).closed()
            assert (code, "beyond" in reason) == (4400, True)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("no json", 4400),
        ("[]", 4400),
        ('{"data": 5}', 4400),
        ("[" * 10_000, 4400),
        ('{"type": "input", "data": "\\ud800"}', 1008),
        (b"x" * (LARGEST_INPUT + 1), 1009),
        ('{"type": "input", "data": "' + "x" * (LARGEST_INPUT + 1) + '"}', 1009),
        (b"x" * (10 * 1024 * 1024 + 1), 1009),
    ],
)
async def test_what_breaks_the_rules_is_closed_with_a_reason(short: Path, message: str | bytes, code: int) -> None:
    async with open_terminals(short) as doors:
        identity = await an_echoer(doors.inside)
        async with doors.watch(identity, mode="ro") as other, doors.watch(identity) as page:
            with contextlib.suppress(websockets.ConnectionClosed):  # while it was still being sent
                await page.connection.send(message)
            found, reason = await page.closed()
            assert found == code
            assert reason
            assert 0 < len(reason.encode()) <= 123
            await doors.inside.call("agent.write", agent_id=identity, text="still\n")
            await other.shown(b"heard: still")
        assert await doors.inside.output(identity) == b"ready\r\nstill\r\nheard: still\r\n"


async def test_what_makes_no_sense_is_told_a_hundred_times(short: Path) -> None:
    async with open_terminals(short) as doors:
        identity = await an_echoer(doors.inside)
        async with doors.watch(identity) as page:
            await page.tell(type="resize", rows="x")
            assert (await page.frame("error"))["code"] == "invalid_params"
            for _ in range(MOST_NONSENSE - 1):
                await page.tell(type="nonsense")
            assert await page.closed() == (1008, "too much nonsense")


async def test_a_large_paste_arrives_whole_and_is_told_to_have_arrived(short: Path) -> None:
    pasted = os.urandom(3_000_000)
    go = short / "go"
    os.mkfifo(go)
    async with open_terminals(short) as doors:
        spawned = await doors.inside.spawn(reader(len(pasted), go))
        async with doors.watch(spawned["id"], from_=0, took=1) as page:
            await page.shown(b"ready")

            async def paste() -> None:
                for start in range(0, len(pasted), 100_000):
                    await page.type(pasted[start : start + 100_000])

            pasting = asyncio.create_task(paste())
            await asyncio.to_thread(go.write_text, "go")
            taken = 0
            while taken < len(pasted):
                taken += (await page.frame("took"))["bytes"]
            await pasting
            assert hashlib.sha256(pasted).hexdigest().encode() in await doors.inside.output(spawned["id"], follow=True)


async def test_only_so_many_may_watch(short: Path) -> None:
    async with open_terminals(short) as doors:
        identity = await an_echoer(doors.inside)
        doors.inside.daemon.attaching._most = 2
        async with doors.watch(identity), doors.watch(identity):
            with pytest.raises(websockets.InvalidStatus) as refused:
                async with doors.watch(identity):
                    pass
            assert refused.value.response.status_code == 429
        await doors.alone(identity)
        async with doors.watch(identity) as page:
            await page.frame("screen")


async def test_a_hundred_who_come_and_vanish_leave_nothing_behind(short: Path) -> None:
    async with open_terminals(short) as doors:
        identity = await an_echoer(doors.inside)
        await come_and_go(doors, identity)
        before = len(open_descriptors())
        for _ in range(100):
            await come_and_go(doors, identity)
        await doors.alone(identity)
        assert len(open_descriptors()) <= before + 4
        assert doors.inside.agent(identity).log.followers == set()
        assert doors.inside.agent(identity).pen is None
        found = await doors.inside.call("event.list", since=0, limit=1000)
        told = [event for event in found["events"] if event["event_type"].startswith("attach_")]
        assert {event["event_type"] for event in told} == {"attach_connected", "attach_disconnected"}
        assert len(told) < 60


async def come_and_go(doors: TerminalDoors, identity: str) -> None:
    """Attach, and vanish without a word."""
    async with doors.watch(identity) as page:
        await page.frame("screen")
        page.connection.transport.abort()


async def test_whatever_is_sent_harms_nobody(short: Path) -> None:
    dice = random.Random(7)
    async with open_terminals(short) as doors:
        identity = await an_echoer(doors.inside)
        for _ in range(60):
            with contextlib.suppress(websockets.ConnectionClosed):
                async with doors.connect(identity, mode=dice.choice(["rw", "ro"])) as connection:
                    for _ in range(dice.randrange(12)):
                        await connection.send(nonsense(dice))
                    if dice.random() < 0.5:
                        connection.transport.abort()
        await doors.alone(identity)
        assert doors.inside.agent(identity).pen is None
        await doors.inside.call("agent.write", agent_id=identity, text="\x15still\n")
        await doors.inside.until(identity, b"heard: still")


def nonsense(dice: random.Random) -> str | bytes:
    """Return a message that some client might send."""
    return dice.choice(
        [
            bytes(dice.randrange(32, 256) for _ in range(dice.randrange(50))),
            "\0" * dice.randrange(100),
            json.dumps({"type": "screen"}),
            json.dumps({"type": "take", "more": [[]]}),
            json.dumps({"type": "resize", "rows": dice.randrange(-5, 1200), "cols": dice.randrange(1, 300)}),
            json.dumps(
                dice.choice([{}, [], 1, None, {"type": 1}, {"type": "input"}, {"type": "resize", "rows": 1e300}])
            ),
        ]
    )


async def test_who_takes_nothing_is_let_go_and_the_others_lose_nothing(short: Path) -> None:
    async with open_terminals(short, stuck_after=0.5) as doors:
        spawned = await doors.inside.spawn(["sh", "-c", "read go; seq 2000000"])
        async with doors.watch(spawned["id"], from_=0) as page, doors.watch(spawned["id"], mode="ro") as stalled:
            await stalled.frame("screen")
            stalled.connection.transport.pause_reading()
            await page.type(b"\n")
            seen = await page.shown(b"\n2000000\r\n")
            assert seen == await doors.inside.output(spawned["id"])
            assert (await page.frame("exit"))["exit_code"] == 0
            await page.closed()
            while stalled_there(doors):
                await doors.inside.call("system.health")
            stalled.connection.transport.abort()


def stalled_there(doors: TerminalDoors) -> bool:
    """Say whether a task of a terminal is still under way; the daemon works in this very loop."""
    return any("TerminalSocket" in repr(task.get_coro()) for task in asyncio.all_tasks())


async def test_a_silent_terminal_is_closed_after_a_while(short: Path) -> None:
    async with open_terminals(short, idle_timeout=0.3) as doors:
        identity = await an_echoer(doors.inside)
        async with doors.watch(identity) as page:
            assert await page.closed() == (4408, "nothing was typed or shown for 0.3 s")


async def test_terminals_are_pinged(short: Path) -> None:
    async with open_terminals(short, ping_every=0.05) as doors:
        identity = await an_echoer(doors.inside)
        async with doors.watch(identity) as page:
            pinged = asyncio.Event()
            heard = page.connection.protocol.events_received
            page.connection.protocol.events_received = lambda: [note(event, pinged) for event in heard()]  # type: ignore[method-assign]
            await page.frame("screen")
            waiting = asyncio.create_task(page.frame("exit"))
            async with asyncio.timeout(10):
                await pinged.wait()
            await doors.inside.call("agent.write", agent_id=identity, text="exit 0\n")
            await waiting


def note(event: Any, pinged: asyncio.Event) -> Any:
    """Take note of a ping."""
    if getattr(event, "opcode", None) == websockets.Opcode.PING:
        pinged.set()
    return event
