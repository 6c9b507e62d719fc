"""Programs start as helpers that wait, and say why they cannot start."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from descartes_core.errors import SpawnFailed
from descartes_daemon import ending
from descartes_daemon.launch import Launch, Order, has_run, start_helper
from descartes_local.endings import Ending, peek, reap
from tests.support.leftovers import open_descriptors
from tests.support.waiting import process_gone

pytestmark = pytest.mark.anyio

PRINT = [sys.executable, "-I", "-S", "-c"]


@pytest.fixture
def both_sides() -> Iterator[tuple[int, str]]:
    """Give a terminal: its master, and the name of its other side."""
    master, slave = os.openpty()
    os.set_blocking(master, True)
    yield master, os.ttyname(slave)
    os.close(master)
    os.close(slave)


def order(*command: str, cwd: str = "/", umask: int = 0o022, soft: int | None = None, **env: str) -> Order:
    return Order(list(command), cwd, {"PATH": os.environ["PATH"], **env}, umask, soft)


@contextlib.contextmanager
def started(both_sides: tuple[int, str], marks: Path) -> Iterator[Launch]:
    """Start a helper; at the end it must be gone, reaped, and have left no descriptor."""
    before = open_descriptors()
    launch = start_helper(both_sides[1], marks / "exec", "an-agent")
    try:
        yield launch
    finally:
        launch.close()
        process_gone(launch.process.pid)
        reap(launch.process.pid)
        assert open_descriptors() == before


async def ran(launch: Launch) -> Ending | None:
    await ending.ended(launch.pidfd)
    return peek(launch.process.pid)


async def test_the_program_runs_once_the_word_is_said(both_sides: tuple[int, str], tmp_path: Path) -> None:
    with started(both_sides, tmp_path) as launch:
        await launch.prepare(order("sh", "-c", "echo $WHO; exit 4", WHO="somebody"))
        assert has_run(tmp_path / "exec") == (False, None)
        await launch.go()
        assert os.read(both_sides[0], 100) == b"somebody\r\n"
        assert await ran(launch) == Ending(4, None)
        assert has_run(tmp_path / "exec") == (True, None)


async def test_without_the_word_nothing_runs(both_sides: tuple[int, str], tmp_path: Path) -> None:
    with started(both_sides, tmp_path) as launch:
        await launch.prepare(order("touch", str(tmp_path / "ran")))
    assert not (tmp_path / "ran").exists()
    assert has_run(tmp_path / "exec") == (False, None)


async def test_half_an_order_runs_nothing(both_sides: tuple[int, str], tmp_path: Path) -> None:
    with started(both_sides, tmp_path) as launch:
        whole = order("touch", str(tmp_path / "ran")).as_bytes()
        await asyncio.get_running_loop().sock_sendall(launch._channel, whole[:-5])
    assert not (tmp_path / "ran").exists()


async def test_a_word_that_comes_with_the_order_is_heard(both_sides: tuple[int, str], tmp_path: Path) -> None:
    """The helper once read beyond the order in large pieces, swallowed the word, and waited for ever."""
    with started(both_sides, tmp_path) as launch:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(launch._channel, order("sh", "-c", "exit 6").as_bytes() + b"g")
        assert await loop.sock_recv(launch._channel, 1) == b""
        assert await ran(launch) == Ending(6, None)


async def test_a_large_order_arrives_whole(both_sides: tuple[int, str], tmp_path: Path) -> None:
    with started(both_sides, tmp_path) as launch:
        values = {f"V{number}": "x" * 10_000 for number in range(100)}
        await launch.prepare(order("sh", "-c", "exit ${#LAST}0", **values, LAST="1234567"))
        await launch.go()
        assert await ran(launch) == Ending(70, None)


async def test_surroundings_are_the_orders(both_sides: tuple[int, str], tmp_path: Path) -> None:
    with started(both_sides, tmp_path) as launch:
        code = "import os,resource;print(os.getcwd(), oct(os.umask(0)), resource.getrlimit(7)[0], 'HOME' in os.environ)"
        await launch.prepare(order(*PRINT, code, cwd="/usr", umask=0o027, soft=99))
        await launch.go()
        assert os.read(both_sides[0], 100) == b"/usr 0o27 99 False\r\n"


async def test_the_program_has_nothing_open_but_its_terminal(both_sides: tuple[int, str], tmp_path: Path) -> None:
    """Whatever the daemon itself was started with must not keep somebody's lock or pipe open for ever."""
    leak = os.dup(0)
    os.set_inheritable(leak, True)
    code = "import os;print(len([fd for fd in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{fd}')]))"
    with started(both_sides, tmp_path) as launch:
        await launch.prepare(order(*PRINT, code))
        await launch.go()
        assert os.read(both_sides[0], 1000) == b"3\r\n"
    os.close(leak)


async def test_the_program_leads_a_session_with_this_terminal(both_sides: tuple[int, str], tmp_path: Path) -> None:
    with started(both_sides, tmp_path) as launch:
        code = "import os;print(os.getsid(0)==os.getpid()==os.tcgetpgrp(0), os.ttyname(os.open('/dev/tty', 2)) != '')"
        await launch.prepare(order(*PRINT, code))
        await launch.go()
        assert os.read(both_sides[0], 100) == b"True True\r\n"


async def test_signals_are_as_at_a_login(both_sides: tuple[int, str], tmp_path: Path) -> None:
    with started(both_sides, tmp_path) as launch:
        await launch.prepare(order("grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"))
        await launch.go()
        await ran(launch)
        masks = [int(line.split()[1], 16) for line in os.read(both_sides[0], 1000).splitlines()]
        # The C library keeps 32 and 33 to itself.
        assert [mask & 0x7FFFFFFF for mask in masks] == [0, 0]


@pytest.mark.parametrize(
    ("command", "cwd", "why"),
    [
        ("/no/such/program", "/", "No such file|not found"),
        ("no-such-program", "/", "not found"),
        ("/usr", "/", "is a directory"),
        (__file__, "/", "Permission denied"),
        ("true", "/no/such/place", "cannot enter '/no/such/place': No such file"),
        ("true", "/etc/hostname", "cannot enter '/etc/hostname': Not a directory"),
    ],
)
async def test_what_cannot_run_says_why(
    both_sides: tuple[int, str], tmp_path: Path, command: str, cwd: str, why: str
) -> None:
    with started(both_sides, tmp_path) as launch:
        await launch.prepare(order(command, cwd=cwd))
        with pytest.raises(SpawnFailed, match=why):
            await launch.go()
        ran_, failed = has_run(tmp_path / "exec")
        assert ran_
        assert failed is not None
        assert await ran(launch) == Ending(127, None)


async def test_a_program_is_sought_in_its_own_path(both_sides: tuple[int, str], tmp_path: Path) -> None:
    hidden, seen = tmp_path / "hidden", tmp_path / "seen"
    hidden.mkdir()
    seen.mkdir()
    (hidden / "tool").write_text("#!/bin/sh\nexit 1\n")
    (seen / "tool").write_text("#!/bin/sh\nexit 5\n")
    (seen / "tool").chmod(0o755)
    with started(both_sides, tmp_path) as launch:
        await launch.prepare(order("tool", PATH=f"{hidden}:{seen}:/bin"))
        await launch.go()
        assert await ran(launch) == Ending(5, None)


async def test_the_program_runs_on_the_processors_it_is_given(both_sides: tuple[int, str], tmp_path: Path) -> None:
    last = max(os.sched_getaffinity(0))
    with started(both_sides, tmp_path) as launch:
        wanted = order(*PRINT, "import os; print(os.sched_getaffinity(0))")
        await launch.prepare(replace(wanted, processors=[last]))
        await launch.go()
        assert os.read(both_sides[0], 100).decode().strip() == f"{{{last}}}"
        await ran(launch)


@pytest.mark.parametrize("lowest", [96, pytest.param(250, marks=pytest.mark.soak)])
async def test_any_descriptor_may_be_the_helpers(both_sides: tuple[int, str], tmp_path: Path, lowest: int) -> None:
    """Descriptors once went by way of 100 and 101: the mark file that was 100 itself became the socket."""
    for number in range(lowest, lowest + 8):
        fillers = [os.open("/dev/null", os.O_RDONLY)]
        while fillers[-1] < number:
            fillers.append(os.dup(fillers[0]))
        try:
            with started(both_sides, tmp_path) as launch:
                await launch.prepare(order("sh", "-c", "exit 3"))
                await launch.go()
                assert await ran(launch) == Ending(3, None)
        finally:
            for filler in fillers:
                os.close(filler)


async def test_no_room_for_a_process_is_a_failed_spawn(both_sides: tuple[int, str], tmp_path: Path) -> None:
    before = open_descriptors()
    with pytest.raises(SpawnFailed, match="no process can be started"):
        start_helper(both_sides[1], tmp_path / "missing" / "exec", "an-agent")
    assert open_descriptors() == before
