from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from descartes_local.lock_holder import Holder, holder_of
from descartes_local.locks import lock_directory

#: Locks a directory; with `keeper`, by a child that gives the descriptor to its parent and ends.
_PROGRAM = """
import os, sys
from pathlib import Path
from descartes_local.locks import lock_directory
if sys.argv[2] == "keeper":
    kept = os.open(sys.argv[1], os.O_RDONLY)
    if os.fork() == 0:
        import fcntl
        fcntl.flock(kept, fcntl.LOCK_EX)
        os._exit(0)
    os.wait()
else:
    lock_directory(Path(sys.argv[1]))
print(flush=True)
sys.stdin.read()
"""


@contextmanager
def held(path: Path, *words: str, **environment: str) -> Iterator[int]:
    """Let a program hold the lock; give its pid."""
    command = [sys.executable, "-c", _PROGRAM, str(path), *words]
    env = {**os.environ, **environment}
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stdin is not None
        program.stdout.readline()
        yield program.pid
        program.stdin.close()


def test_nobody_holds_what_is_free_or_gone(tmp_path: Path) -> None:
    assert holder_of(tmp_path) is None
    assert holder_of(tmp_path / "gone") is None


def test_a_daemon_holds_it_as_long_as_it_lives(tmp_path: Path) -> None:
    with held(tmp_path, "descartes_daemon", DESCARTES_HOME="/some/home") as pid:
        assert holder_of(tmp_path) == Holder(pid, "/some/home", is_lasting=True)
        assert str(holder_of(tmp_path)) == f"process {pid} of DESCARTES_HOME /some/home"


def test_a_command_holds_it_for_a_moment(tmp_path: Path) -> None:
    with held(tmp_path, "descartes", HOME="/home/ada") as pid:
        assert holder_of(tmp_path) == Holder(pid, "/home/ada/.descartes", is_lasting=False)


def test_what_is_kept_for_a_dead_daemon_is_held_by_its_keeper(tmp_path: Path) -> None:
    """/proc/locks names who took it, and that process is gone."""
    with held(tmp_path, "keeper", "descartes_orchestrator", DESCARTES_HOME="/some/home") as pid:
        assert holder_of(tmp_path) == Holder(pid, "/some/home", is_lasting=True)


def test_two_directories_are_not_taken_for_each_other(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    lock = lock_directory(tmp_path / "other")
    assert lock is not None
    assert holder_of(tmp_path) is None
    os.close(lock)
