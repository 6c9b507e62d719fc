"""An agent without a terminal has a stdin, and two files that its program writes itself."""

from __future__ import annotations

import asyncio
import base64
import os
import resource
import sys
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import LimitReached, NotHere, Refused, SpawnFailed
from descartes_core.ids import new_id
from descartes_daemon import keyboard
from descartes_daemon.agent import Agent
from descartes_daemon.agent_row import AgentRow
from descartes_daemon.opening import open_anew
from tests.support.inside import PATIENCE, Inside, open_inside
from tests.support.leftovers import open_descriptors
from tests.support.programs import agent

pytestmark = pytest.mark.anyio

PRINT = [sys.executable, "-I", "-S", "-c"]


async def stream(inside: Inside, identity: str, name: str, offset: int = 0) -> bytes:
    """Return all of one stream, to the last byte there will ever be."""
    said = b""
    while True:
        asked = {"agent_id": identity, "stream": name, "offset": offset + len(said), "wait": PATIENCE}
        reply = await inside.call("agent.output", **asked)
        said += base64.b64decode(reply["data"])
        if reply["ended"] and reply["next_offset"] == reply["size"]:
            return said


async def write(inside: Inside, identity: str, text: str, **more: Any) -> int:
    written: int = (await inside.call("agent.write", agent_id=identity, text=text, **more))["written"]
    return written


async def test_each_stream_is_a_log_of_its_own(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["sh", "-c", "echo out; echo err >&2; exit 3"], tty=False)
        assert spawned["tty"] is False
        ended = await inside.ended(spawned["id"])
        assert (ended["exit_code"], ended["output_bytes"]) == (3, 8)
        assert await stream(inside, spawned["id"], "stdout") == b"out\n"
        assert await stream(inside, spawned["id"], "stderr") == b"err\n"
        detail = (await inside.call("agent.get", agent_id=spawned["id"]))["agent"]
        assert Path(detail["log_path"]).read_bytes() == b"out\n"
        assert Path(detail["errors_path"]).read_bytes() == b"err\n"
        assert detail["tty"] is False


async def test_it_has_no_terminal_at_all(short: Path) -> None:
    async with open_inside(short) as inside:
        code = "import os,stat;print([os.isatty(n) for n in range(3)], os.getsid(0)==os.getpid(), 'TERM' in os.environ)"
        code += ";print(stat.S_ISFIFO(os.fstat(0).st_mode), sorted(map(int, os.listdir('/proc/self/fd')))[:4])"
        code += "\ntry: os.open('/dev/tty', 2)\nexcept OSError as error: print(error.errno)"
        spawned = await inside.spawn([*PRINT, code], tty=False)
        said = await stream(inside, spawned["id"], "stdout")
        # 3 is the listing's own.
        assert said == b"[False, False, False] True False\nTrue [0, 1, 2, 3]\n6\n"


async def test_signals_are_as_at_a_login(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"], tty=False)
        said = await stream(inside, spawned["id"], "stdout")
        assert [int(line.split()[1], 16) & 0x7FFFFFFF for line in said.splitlines()] == [0, 0]


async def test_a_terminal_is_one_stream(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(agent("silent"))
        with pytest.raises(NotHere, match="one stream"):
            await inside.call("agent.output", agent_id=spawned["id"], stream="stderr")


async def test_what_asks_for_a_terminal_is_told_that_there_is_none(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["sleep", "60"], tty=False)
        for method, params in (
            ("agent.resize", {"rows": 10, "cols": 10}),
            ("agent.screen", {}),
            ("agent.attach", {}),
            ("agent.attach", {"offset": 0, "mode": "ro"}),
        ):
            with pytest.raises(NotHere, match="no terminal"):
                await inside.call(method, agent_id=spawned["id"], **params)


async def test_what_is_written_is_read_and_the_end_of_input_too(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["cat"], tty=False)
        assert await write(inside, spawned["id"], "hello ") == 6
        assert await write(inside, spawned["id"], "there", enter=True) == 6
        assert await inside.until(spawned["id"], b"\n") == b"hello there\n"
        await write(inside, spawned["id"], "last", eof=True)
        assert (await inside.ended(spawned["id"]))["exit_code"] == 0
        assert await stream(inside, spawned["id"], "stdout") == b"hello there\nlast"


async def test_after_the_end_of_input_nothing_is_taken(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["sh", "-c", "cat; echo over; sleep 60"], tty=False)
        await inside.call("agent.write", agent_id=spawned["id"], eof=True)
        await inside.until(spawned["id"], b"over\n")
        with pytest.raises(Refused, match="input has ended"):
            await write(inside, spawned["id"], "more")
        await inside.call("agent.write", agent_id=spawned["id"], eof=True)


async def test_who_reads_no_more_is_told_of(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["sh", "-c", "exec <&-; echo closed; sleep 60"], tty=False)
        await inside.until(spawned["id"], b"closed\n")
        with pytest.raises(Refused, match="reads its input no more"):
            await write(inside, spawned["id"], "more")


async def test_much_is_written_while_the_program_reads_slowly(short: Path) -> None:
    async with open_inside(short) as inside:
        code = "import sys,time\nwhile piece := sys.stdin.buffer.read(50000): sys.stdout.buffer.write(piece)"
        spawned = await inside.spawn([*PRINT, code], tty=False)
        text = "".join(f"{number:07}\n" for number in range(100_000))
        await write(inside, spawned["id"], text, eof=True)
        assert await stream(inside, spawned["id"], "stdout") == text.encode()


async def test_pausing_resuming_and_stopping_are_as_for_others(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["cat"], tty=False)
        await inside.call("agent.pause", agent_id=spawned["id"])
        await write(inside, spawned["id"], "while paused\n")
        assert await inside.output(spawned["id"]) == b""
        await inside.call("agent.resume", agent_id=spawned["id"])
        await inside.until(spawned["id"], b"while paused\n")
        stopped = (await inside.call("agent.stop", agent_id=spawned["id"]))["agent"]
        assert (stopped["status"], stopped["signal"]) == ("terminated", "SIGTERM")


async def test_what_grandchildren_write_after_the_end_is_in_the_log(short: Path) -> None:
    """The log has ended only when nobody of its tree is left."""
    async with open_inside(short) as inside:
        child = "trap '' TERM HUP; while [ ! -e go ]; do sleep 0.01; done; echo late; echo later >&2"
        spawned = await inside.spawn(["sh", "-c", f"({child}) & exit 4"], tty=False, grace=30.0)
        assert (await inside.ended(spawned["id"]))["exit_code"] == 4
        reply = await inside.call("agent.output", agent_id=spawned["id"])
        assert (reply["size"], reply["ended"]) == (0, False)
        (short / "shop" / "go").touch()
        assert await stream(inside, spawned["id"], "stdout") == b"late\n"
        assert await stream(inside, spawned["id"], "stderr") == b"later\n"


async def test_what_may_live_on_is_recorded_until_it_ends(short: Path) -> None:
    async with open_inside(short) as inside:
        child = "while [ ! -e go ]; do sleep 0.01; done; echo late"
        spawned = await inside.spawn(["sh", "-c", f"setsid sh -c '{child}' & exit 0"], tty=False, leave=True)
        await inside.ended(spawned["id"])
        assert (await inside.call("agent.output", agent_id=spawned["id"]))["ended"] is False
        (short / "shop" / "go").touch()
        assert await stream(inside, spawned["id"], "stdout") == b"late\n"


async def test_a_program_that_cuts_its_own_log_breaks_nothing(short: Path) -> None:
    async with open_inside(short) as inside:
        script = "echo 0123456789; cat; echo new > /dev/stdout; echo more; cat go; sleep 60"
        spawned = await inside.spawn(["sh", "-c", script], tty=False)
        await inside.until(spawned["id"], b"9\n")
        waiting = asyncio.create_task(inside.call("agent.output", agent_id=spawned["id"], offset=11, wait=PATIENCE))
        await inside.call("agent.write", agent_id=spawned["id"], eof=True)
        await waiting
        detail = (await inside.call("agent.get", agent_id=spawned["id"]))["agent"]
        assert await inside.output(spawned["id"]) in (b"new\n", b"new\nmore\n")
        reply = await inside.call("agent.output", agent_id=spawned["id"], offset=11)
        assert (reply["offset"], base64.b64decode(reply["data"])[:4]) == (0, b"new\n")
        assert reply["next_offset"] == reply["size"] == os.stat(detail["log_path"]).st_size
        assert reply["gap"]["reason"] == "its program has cut its own log"


async def test_what_cannot_run_leaves_nothing(short: Path) -> None:
    async with open_inside(short) as inside:
        with pytest.raises(Exception, match="cannot run '/no/such'"):
            await inside.spawn(["/no/such"], tty=False)
        (failed,) = (await inside.call("agent.list", all=True))["agents"]
        assert (failed["status"], failed["tty"]) == ("failed", False)
        await inside.gone(failed["id"])
        assert inside.daemon.agents.present == {}


async def test_who_reads_nothing_is_told_of(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyboard, "_TYPE_DEADLINE", 0.2)
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["sleep", "60"], tty=False)
        with pytest.raises(LimitReached, match="does not read"):
            await write(inside, spawned["id"], "x" * 300_000)
        with pytest.raises(LimitReached, match="does not read"):
            await write(inside, spawned["id"], "y" * 900_000)
        with pytest.raises(LimitReached, match="bytes wait already"):
            await write(inside, spawned["id"], "z" * 900_000)


@pytest.mark.parametrize("tty", [pytest.param(True, marks=pytest.mark.soak), False])
async def test_a_lack_of_descriptors_in_the_middle_leaves_nothing(short: Path, tty: bool) -> None:
    """Whichever step finds none: what the steps before it opened is closed again, and the helper ends."""
    async with open_inside(short) as inside:
        agents, before = inside.daemon.agents, resource.getrlimit(resource.RLIMIT_NOFILE)
        outcomes = set()
        for spare in range(0, 18, 2):
            row = AgentRow(new_id(), "a", ("true",), "/", 24, 80, 1.0, "SIGTERM", False, 0o22, 0.0, tty=tty)
            agent = Agent(row, "a", agents.outputs.of(row), agents.outputs.errors_of(row))
            agent.log.directory.mkdir(parents=True)
            descriptors = open_descriptors()
            # Descriptors are counted by the highest number: so the lowest free ones are taken first.
            fillers = fill_holes()
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + spare, before[1]))
            try:
                opened = open_anew(agent, agents.keeping)
                outcomes.add("opened")
                resource.setrlimit(resource.RLIMIT_NOFILE, before)
                opened.launch.close()
                opened.body.close()
                for log in agent.logs:
                    log.close()
                os.close(opened.pidfd or -1)
            except SpawnFailed:
                outcomes.add("failed")
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, before)
                for filler in fillers:
                    os.close(filler)
            agents.outputs.growth.close()
            assert open_descriptors() == descriptors, spare
        assert outcomes == {"failed", "opened"}


def fill_holes() -> list[int]:
    """Take every free number below the highest."""
    highest, fillers = max(map(int, os.listdir("/proc/self/fd"))), [os.dup(0)]
    while fillers[-1] < highest:
        fillers.append(os.dup(0))
    return fillers
