"""What a process has taken is read from the kernel, also when it has ended."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from descartes_local.process_usage import proportional_of, rusage_of, size_of, taken_by_process

MIB = 1024 * 1024
#: Tells what it took by its own account, once it has taken it: the C library's, not /proc's.
TAKES = """
import os, resource, sys, time
held = b"x" * (int(sys.argv[1]) << 20)
began = time.process_time()
while time.process_time() - began < 0.3: pass
with open(sys.argv[2], "wb") as file: file.write(b"x" * 3_000_000)
if len(sys.argv) > 3:
    if (child := os.fork()) == 0:
        while time.process_time() < 0.3: pass
        os._exit(0)
    os.waitpid(child, 0)
print(sum(resource.getrusage(who)[0] + resource.getrusage(who)[1]
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)), flush=True)
sys.stdin.read()
"""

#: Forks a child that shares its memory, and tells of it.
SHARES = (
    "import os, sys\nkept = b'x' * (64 << 20)\nchild = os.fork()\nif child: print(child, flush=True)\nsys.stdin.read()"
)


@contextmanager
def taker(place: Path, memory: int, *more: str) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """Give a program that has taken something, and how much processor time by its own account."""
    command = [sys.executable, "-I", "-S", "-c", TAKES, str(memory), str(place / "written"), *more]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stdin is not None
        yield program, float(program.stdout.readline())
        program.stdin.close()


def end_unreaped(program: subprocess.Popen[bytes]) -> None:
    assert program.stdin is not None
    program.stdin.close()
    os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT)


@pytest.mark.parametrize("more", [(), ("with a child",)], ids=["alone", "with-a-child"])
def test_the_living_are_counted_with_whom_they_waited_for(tmp_path: Path, more: tuple[str, ...]) -> None:
    with taker(tmp_path, 64, *more) as (program, spent):
        taken = taken_by_process(program.pid)
        assert taken is not None
        assert taken.process.pid == program.pid
        assert taken.cpu_seconds == pytest.approx(spent, abs=0.1)
        assert taken.resident == pytest.approx(72 * MIB, rel=0.2)
        assert taken.peak is not None
        assert taken.peak >= taken.resident
        assert taken.written is not None
        assert taken.read is not None


def test_who_has_ended_is_counted_until_it_is_reaped(tmp_path: Path) -> None:
    with taker(tmp_path, 1) as (program, spent):
        living = taken_by_process(program.pid)
        end_unreaped(program)
        dead = taken_by_process(program.pid)
        assert living is not None
        assert dead is not None
        assert (dead.process, dead.written, dead.peak) == (living.process, living.written, None)
        assert dead.cpu_seconds == pytest.approx(spent, abs=0.1)
    assert taken_by_process(program.pid) is None


def test_rusage_is_told_and_the_process_stays_to_be_reaped(tmp_path: Path) -> None:
    ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    with taker(tmp_path, ours + 64, "with a child") as (program, spent):
        assert rusage_of(program.pid) is None
        living = taken_by_process(program.pid)
        end_unreaped(program)
        found = rusage_of(program.pid)
        assert found is not None
        assert living is not None
        assert found.cpu_seconds == pytest.approx(spent, abs=0.1)
        assert (found.read, found.written) == (living.read, living.written)
        assert found.largest == pytest.approx((ours + 72) * MIB, rel=0.2)
        assert os.waitpid(program.pid, 0) == (program.pid, 0)


def test_the_peak_of_who_is_smaller_than_we_are_is_not_known(tmp_path: Path) -> None:
    """Linux begins a child's peak with that of who started it, so this would be our own."""
    with taker(tmp_path, 1) as (program, _):
        end_unreaped(program)
        found = rusage_of(program.pid)
        assert found is not None
        assert found.largest is None


def test_somebody_elses_child_has_no_rusage() -> None:
    assert rusage_of(os.getpid()) is None
    assert rusage_of(os.getppid()) is None


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
