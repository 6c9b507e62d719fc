"""Start a program: a helper that waits, then the word."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

from descartes_core.errors import SpawnFailed
from descartes_daemon import exec_helper
from descartes_local.processes import Process, process_of, send_signal

#: A helper takes some 10 ms to start; a machine out of memory takes long.
_DEADLINE = 30.0
#: Where the helper finds its socket and its mark file.
_CHANNEL, _MARKS = 3, 4
#: Compiled where it is: a file that is run is else compiled anew each time, at some 2 ms.
_COMPILED = cache_from_source(exec_helper.__file__)
#: The interpreter itself: behind a virtual environment's link it would first look for that environment.
_PYTHON = os.path.realpath(sys.executable)
_HELPER = [_PYTHON, "-I", "-S", _COMPILED if os.path.exists(_COMPILED) else exec_helper.__file__]
#: A program that begins must find signals as a login gives them.
_SIGNALS = [number for number in signal.valid_signals() if number not in (signal.SIGKILL, signal.SIGSTOP)]


@dataclass(frozen=True, slots=True)
class Order:
    """What a helper is to become, and in which surroundings."""

    command: Sequence[str]
    cwd: str
    env: Mapping[str, str]
    umask: int
    #: Soft limit of descriptors; None leaves it.
    soft_nofile: int | None = None
    #: The processors it may run on; all, where none are named.
    processors: Sequence[int] = ()

    def as_bytes(self) -> bytes:
        """Return it as the helper reads it."""
        soft = "-" if self.soft_nofile is None else str(self.soft_nofile)
        processors = ",".join(map(str, self.processors))
        fields = [self.cwd, str(self.umask), soft, processors, str(len(self.command)), *self.command]
        fields += [f"{name}={value}" for name, value in self.env.items()]
        body = b"".join(os.fsencode(field) + b"\0" for field in fields)
        return b"%010d\n" % len(body) + body


class Launch:
    """One helper; ends by itself, without running anything, when this side of its socket closes."""

    def __init__(self, process: Process, pidfd: int, channel: socket.socket) -> None:
        self.process = process
        self.pidfd = pidfd
        self._channel = channel

    async def prepare(self, order: Order) -> None:
        """Hand over the order; nothing runs yet.

        Raises:
            SpawnFailed: the helper is gone.

        """
        try:
            async with asyncio.timeout(_DEADLINE):
                await asyncio.get_running_loop().sock_sendall(self._channel, order.as_bytes())
        except (OSError, TimeoutError) as error:
            raise SpawnFailed(f"the start helper did not take its order: {error!r}") from error

    async def go(self) -> None:
        """Say the word, and wait until the program runs.

        Raises:
            SpawnFailed: it cannot be executed; the message says why.

        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_DEADLINE):
                await loop.sock_sendall(self._channel, b"g")
                # A successful exec closes the helper's end.
                failure = await loop.sock_recv(self._channel, 4096)
        except ConnectionError:
            return  # killed between the word and the exec: its end is told like any other
        except TimeoutError as error:
            send_signal(self.process, signal.SIGKILL)  # what is told as failed must not run later
            raise SpawnFailed("the start helper did not answer in time") from error
        if failure:
            raise SpawnFailed(failure.decode(errors="replace").partition(" ")[2].strip())

    def close(self) -> None:
        """Close this side of the socket, and the pidfd."""
        self._channel.close()
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1


def start_helper(stdio: str | Sequence[int], marks: Path, agent_id: str) -> Launch:
    """Start a helper as leader of a session of its own.

    Args:
        stdio: The terminal it gets; or, without one, what is to be its stdin, stdout and stderr.
        marks: The agent's mark file.
        agent_id: By which it is known whose it is.

    Raises:
        SpawnFailed: the system has no room for another process.

    """
    with contextlib.ExitStack() as undo:
        try:
            ours, theirs = socket.socketpair()
            undo.callback(ours.close)
            with theirs:
                mark = os.open(marks, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
                try:
                    pid = _posix_spawn(stdio, theirs.fileno(), mark, {"DESCARTES_AGENT_ID": agent_id})
                finally:
                    os.close(mark)
            pidfd = -1
            if sys.platform == "linux":
                pidfd = os.pidfd_open(pid)
        except OSError as error:
            raise SpawnFailed(f"no process can be started: {error.strerror}") from error
        undo.pop_all()
    ours.setblocking(False)
    process = process_of(pid)
    assert process is not None, "a child that nobody reaped is there"
    return Launch(process, pidfd, ours)


def _posix_spawn(stdio: str | Sequence[int], channel: int, mark: int, environment: dict[str, str]) -> int:
    streams = [] if isinstance(stdio, str) else list(stdio)
    targets = [_CHANNEL, _MARKS, *range(len(streams))]
    # The duplicates go through numbers beyond all sources first: a source may itself be one of 0 to 4.
    sources = [channel, mark, *streams]
    spare = max(*sources, _MARKS) + 1
    actions: list[Any] = [(os.POSIX_SPAWN_DUP2, source, spare + at) for at, source in enumerate(sources)]
    if isinstance(stdio, str):
        # Opened by the leader of a session that has none, a terminal becomes the controlling one.
        actions.append((os.POSIX_SPAWN_OPEN, 0, stdio, os.O_RDWR, 0))
        actions += [(os.POSIX_SPAWN_DUP2, 0, 1), (os.POSIX_SPAWN_DUP2, 0, 2)]
    actions += [(os.POSIX_SPAWN_DUP2, spare + at, target) for at, target in enumerate(targets)]
    actions += [(os.POSIX_SPAWN_CLOSE, spare + at) for at in range(len(sources))]
    libraries = {name: value for name, value in os.environ.items() if name == "LD_LIBRARY_PATH"}
    # Looked up one by one as they are called, the interpreter's symbols take half a millisecond more.
    libraries["LD_BIND_NOW"] = "1"
    return os.posix_spawn(
        _HELPER[0],
        _HELPER,
        {**libraries, **environment},
        file_actions=actions,
        setsid=True,
        setsigdef=_SIGNALS,
        setsigmask=[],
    )


def has_run(marks: Path) -> tuple[bool, str | None]:
    """Return whether the word to go on was followed, and what then failed: what a later daemon asks."""
    try:
        lines = marks.read_text(errors="replace").splitlines()
    except OSError:
        return False, None
    failed = next((line.split(" ", 2)[2] for line in lines if line.startswith("failed ") and line.count(" ") > 1), None)
    return "go" in lines, failed
