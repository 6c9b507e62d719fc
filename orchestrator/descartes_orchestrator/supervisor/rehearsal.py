"""Let new code show that it can go on with everything, before anything depends on it."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from descartes_local.endings import Ending, ending_by_pidfd, peek
from descartes_orchestrator.supervisor.loop import Loop

#: What is taken of what it says, and of what is told to people.
_MOST, _LONGEST_REASON = 65_536, 300
_PR_SET_PDEATHSIG = 1


class Played(NamedTuple):
    """How it went: who would begin, or why nobody would."""

    version: str | None
    stamp: str | None
    failure: str | None


class Rehearsal:
    """One process of the new code, which has all our descriptors and does nothing with them."""

    def __init__(
        self,
        loop: Loop,
        command: Sequence[str],
        descriptors: set[int],
        deadline: float,
        on_end: Callable[[Played], None],
    ) -> None:
        """Start it.

        Raises:
            OSError: no process can be made.

        """
        self._loop, self._deadline, self._on_end = loop, deadline, on_end
        self._said, self._complained = bytearray(), bytearray()
        with contextlib.ExitStack() as undo, contextlib.ExitStack() as theirs:
            ends = []
            for _ in range(2):
                ours, their = os.pipe()
                undo.callback(os.close, ours)
                theirs.callback(os.close, their)
                ends.append((ours, their))
            (hears, says), (reads, complains) = ends
            self.pid = _start(command, descriptors, deadline, says, complains)
            undo.callback(os.kill, self.pid, signal.SIGKILL)
            self._pidfd = _open(self.pid)
            undo.pop_all()
        self._open = {hears: self._said, reads: self._complained}
        for descriptor in self._open:
            os.set_blocking(descriptor, False)
            loop.watch(descriptor, lambda descriptor=descriptor: self._hear(descriptor))  # type: ignore[misc]
        self._timer = loop.later(deadline, self._deadline_over)

    def cancel(self) -> None:
        """End it, and tell nobody."""
        self._on_end = lambda _: None
        self._end("nobody waits for it any more")

    def _hear(self, descriptor: int) -> None:
        try:
            piece = os.read(descriptor, _MOST)
        except BlockingIOError:
            return
        held = self._open[descriptor]
        held += piece[: _MOST - len(held)]
        if not piece:
            self._close(descriptor)
            if not self._open:
                self._end(self._verdict())

    def _deadline_over(self) -> None:
        self._end(f"it was not ready within {self._deadline:g} s{self._last_words()}")

    def _end(self, failure: str | None) -> None:
        self._timer.cancel()
        if sys.platform == "linux":
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        os.close(self._pidfd)
        for descriptor in list(self._open):
            self._close(descriptor)
        if failure is None:
            told = json.loads(self._said)
            self._on_end(Played(told["version"], told["stamp"], None))
        else:
            self._on_end(Played(None, None, failure))

    def _verdict(self) -> str | None:
        """Return why what it said will not do, once it has ended."""
        try:
            told = json.loads(self._said)
            if told["ready"] is True and isinstance(told["version"], str) and isinstance(told["stamp"], str):
                # A wrapper that starts a python of its own would end up as the supervisor, and not the python.
                return None if told["pid"] == self.pid else "another process than was executed says that it is ready"
        except (ValueError, KeyError, TypeError, RecursionError):
            pass
        ending = self._ending()
        return f"it ended{f' with {ending}' if ending else ''} and did not say that it is ready{self._last_words()}"

    def _ending(self) -> Ending | None:
        try:
            return peek(self.pid)
        except ChildProcessError:  # it has been reaped, as any child of ours
            return ending_by_pidfd(self._pidfd)

    def _last_words(self) -> str:
        lines = [line for line in bytes(self._complained).decode(errors="replace").splitlines() if line.strip()]
        return f": {lines[-1].strip()[:_LONGEST_REASON]}" if lines else ""

    def _close(self, descriptor: int) -> None:
        self._loop.unwatch(descriptor)
        os.close(descriptor)
        del self._open[descriptor]


def _open(pid: int) -> int:
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, "this system has no descriptors of processes")
    return os.pidfd_open(pid)


def _start(command: Sequence[str], descriptors: set[int], deadline: float, says: int, complains: int) -> int:
    parent = os.getpid()
    # A signal that reached the child before it has shed our handlers would wake our own loop.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            _become(command, descriptors, deadline, says, complains, parent)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid


def _become(
    command: Sequence[str],
    descriptors: set[int],
    deadline: float,
    says: int,
    complains: int,
    parent: int,
) -> None:
    """Turn this child into the new code; it never returns."""
    try:
        signal.set_wakeup_fd(-1)
        os.setsid()
        # Whatever the new code does, what it holds of ours is let go when we end, and after a time in any case.
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, 2 * deadline + 1.0)
        os.dup2(says, 1)
        os.dup2(complains, 2)
        for descriptor in descriptors:
            os.set_inheritable(descriptor, True)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        if os.getppid() == parent:
            os.execve(command[0], list(command), os.environ)
    except BaseException as error:
        # Nothing of the parent's stack may run in the child, whatever happened.
        os.write(2, f"cannot be executed: {error}\n".encode(errors="replace"))
    finally:
        os._exit(4)
