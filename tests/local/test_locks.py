from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from descartes_core.errors import Locked
from descartes_local.locks import is_at, lock_directory
from tests.support.waiting import wait_until


def test_a_directory_is_locked_once(tmp_path: Path) -> None:
    held = lock_directory(tmp_path)
    assert held is not None
    with pytest.raises(Locked, match="is locked by"):
        lock_directory(tmp_path)
    os.close(held)
    again = lock_directory(tmp_path)
    assert again is not None
    os.close(again)


def test_one_of_ours_that_holds_it_is_named(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from descartes_local.locks import lock_directory\n"
        "lock_directory(Path(sys.argv[1])); print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path), "descartes_daemon"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        for patience in (0.0, 20.0):  # nobody waits for a daemon
            with pytest.raises(Locked, match=f"locked by process {holder.pid} of DESCARTES_HOME"):
                lock_directory(tmp_path, patience=patience)
        assert holder.stdin is not None
        holder.stdin.close()


def test_a_command_that_holds_it_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    held = lock_directory(tmp_path)
    assert held is not None
    had: list[int | None] = []
    waiting = threading.Thread(target=lambda: had.append(lock_directory(tmp_path, patience=20.0)))
    waiting.start()
    wait_until(lambda: any(thread.name.startswith("lock ") for thread in threading.enumerate()), "somebody waits")
    os.close(held)
    waiting.join(20)
    assert had[0] is not None
    with pytest.raises(Locked):
        lock_directory(tmp_path, patience=0.02)
    os.close(had[0])


def test_a_copy_of_the_descriptor_holds_the_lock(tmp_path: Path) -> None:
    held = lock_directory(tmp_path)
    assert held is not None
    copy = os.dup(held)
    os.close(held)
    with pytest.raises(Locked):
        lock_directory(tmp_path)
    os.close(copy)


def test_the_lock_is_not_inherited_by_programs(tmp_path: Path) -> None:
    held = lock_directory(tmp_path)
    assert held is not None
    code = f"import os, sys; sys.exit(os.path.exists('/proc/self/fd/{held}'))"
    assert subprocess.run([sys.executable, "-c", code], close_fds=False, check=False).returncode == 0
    os.close(held)


def test_a_directory_that_was_replaced_is_another(tmp_path: Path) -> None:
    directory = tmp_path / "a"
    directory.mkdir()
    held = lock_directory(directory)
    assert held is not None
    assert is_at(held, directory)
    directory.rename(tmp_path / "b")
    assert not is_at(held, directory)
    directory.mkdir()
    assert not is_at(held, directory)
    os.close(held)


def test_what_is_no_directory_cannot_be_locked(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError):
        lock_directory(tmp_path / "file")
    with pytest.raises(FileNotFoundError):
        lock_directory(tmp_path / "gone")
