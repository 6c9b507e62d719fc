"""A process that was killed and does not go, as one that waits for a dead disk."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator

import pytest

_PTRACE_SEIZE, _PTRACE_DETACH = 0x4206, 17
#: Also of one that is somebody else's child (waitpid(2)).
_WALL = 0x40000000


@contextlib.contextmanager
def kept_from_going(pid: int) -> Iterator[None]:
    """Let nobody but us hear of a process's end, and no parent reap it, until the block is left; by tracing it."""
    if sys.platform != "linux":
        pytest.skip("only Linux is known to keep what is traced")
    library = ctypes.CDLL(None, use_errno=True)
    library.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if library.ptrace(_PTRACE_SEIZE, pid, None, None) != 0:
        pytest.skip(f"nobody may be traced here: {os.strerror(ctypes.get_errno())}")
    try:
        yield
    finally:
        with contextlib.suppress(ChildProcessError):
            while not _is_over(os.waitpid(pid, _WALL)[1]):
                library.ptrace(_PTRACE_DETACH, pid, None, None)


def _is_over(status: int) -> bool:
    return os.WIFEXITED(status) or os.WIFSIGNALED(status)
