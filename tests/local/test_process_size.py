"""What a process takes is read from the kernel."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from descartes_local.process_size import proportional_of, size_of

MIB = 1024 * 1024
#: Forks a child that shares its memory, and tells of it.
SHARES = (
    "import os, sys\nkept = b'x' * (64 << 20)\nchild = os.fork()\nif child: print(child, flush=True)\nsys.stdin.read()"
)


def test_threads_and_memory_are_counted() -> None:
    before = size_of(os.getpid())
    assert before is not None
    go = threading.Event()
    thread = threading.Thread(target=go.wait)
    thread.start()
    kept = b"x" * (64 * MIB)
    size = size_of(os.getpid())
    go.set()
    thread.join()
    assert size is not None
    assert size.tasks == before.tasks + 1
    assert size.resident - before.resident == pytest.approx(len(kept), rel=0.1)


def test_what_is_shared_is_counted_once_by_the_exact_share() -> None:
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", SHARES], stdin=-1, stdout=-1) as parent:
        assert parent.stdout is not None
        both = [parent.pid, int(parent.stdout.readline())]
        resident = sum(size.resident for pid in both if (size := size_of(pid)) is not None)
        exact = sum(proportional_of(pid) or 0 for pid in both)
        assert parent.stdin is not None
        parent.stdin.close()
    assert resident > 128 * MIB
    assert 64 * MIB < exact < 96 * MIB


def test_who_is_gone_takes_nothing() -> None:
    with subprocess.Popen(["true"]) as gone:
        pass
    assert size_of(gone.pid) is None
    assert proportional_of(gone.pid) is None
