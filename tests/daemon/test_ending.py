"""How a program ended is looked at before it is reaped."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from descartes_daemon.ending import UNKNOWN, Ending, ended, open_pidfd, peek, reap

pytestmark = pytest.mark.anyio


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """Give a program that only waits, with a child whose pid it tells."""
    with subprocess.Popen(["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE) as program:
        yield program
        program.kill()


def started(*command: str) -> int:
    return os.posix_spawnp(command[0], command, os.environ)


async def end_of(*command: str) -> tuple[int, Ending | None]:
    """Run a program to its end; it stays a zombie."""
    pid = started(*command)
    pidfd = open_pidfd(pid)
    assert pidfd is not None
    async with asyncio.timeout(10):
        await ended(pidfd)
    os.close(pidfd)
    return pid, peek(pid)


@pytest.mark.parametrize(
    ("script", "how"),
    [
        ("exit 0", Ending(0, None)),
        ("exit 7", Ending(7, None)),
        ("exit 255", Ending(255, None)),
        ("kill -KILL $$", Ending(None, "SIGKILL")),
        ("kill -SEGV $$", Ending(None, "SIGSEGV")),
        ("kill -37 $$", Ending(None, "SIG37")),
    ],
)
async def test_a_look_reaps_nothing(script: str, how: Ending) -> None:
    """A real-time signal has no name in Python: the look at it once failed, and its agent never ended."""
    pid, seen = await end_of("bash", "-c", script)
    assert seen == how
    assert peek(pid) == how
    reap(pid)
    with pytest.raises(ChildProcessError):
        peek(pid)
    reap(pid)


async def test_who_runs_has_not_ended(sleeper: subprocess.Popen[bytes]) -> None:
    assert peek(sleeper.pid) is None
    reap(sleeper.pid)
    assert peek(sleeper.pid) is None


async def test_anybody_may_wait_for_an_end(sleeper: subprocess.Popen[bytes]) -> None:
    """Not only the parent: an adopted agent is the supervisor's child."""
    assert sleeper.stdout is not None
    pidfd = open_pidfd(int(sleeper.stdout.readline()))
    assert pidfd is not None
    waiting = asyncio.create_task(ended(pidfd))
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    async with asyncio.timeout(10):
        await waiting
    os.close(pidfd)


async def test_who_stops_waiting_leaves_no_watcher(sleeper: subprocess.Popen[bytes]) -> None:
    pidfd = open_pidfd(sleeper.pid)
    assert pidfd is not None
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await ended(pidfd)
    assert not asyncio.get_running_loop().remove_reader(pidfd)
    os.close(pidfd)


def test_the_gone_have_no_descriptor() -> None:
    with subprocess.Popen(["true"]) as program:
        program.wait()
    assert open_pidfd(program.pid) is None


def test_only_code_zero_is_well() -> None:
    assert Ending(0, None).is_well
    assert not any(one.is_well for one in (Ending(1, None), Ending(None, "SIGTERM"), UNKNOWN))
    assert [str(one) for one in (Ending(3, None), Ending(None, "SIGTERM"), UNKNOWN)] == [
        "exit code 3",
        "signal SIGTERM",
        "exit status unknown",
    ]
