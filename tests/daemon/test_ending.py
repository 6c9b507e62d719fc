"""The end of a process is waited for, whoever its parent is."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from descartes_daemon.ending import ended, open_pidfd

pytestmark = pytest.mark.anyio


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """Give a program that only waits, with a child whose pid it tells."""
    with subprocess.Popen(["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE) as program:
        yield program
        program.kill()


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
