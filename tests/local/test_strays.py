from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from descartes_core.ids import new_id
from descartes_local.home import Home
from descartes_local.strays import end_strays, find_strays

DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()"
LOOKS = """
import sys
from pathlib import Path
from descartes_local.home import Home
from descartes_local.strays import find_strays
print([stray.process.pid for stray in find_strays(Home(Path(sys.argv[1])), ())])
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / ".descartes")


def marks(home: Home, session: str) -> dict[str, str]:
    return {
        "DESCARTES_AGENT_ID": new_id(),
        "DESCARTES_SESSION_ID": session,
        "DESCARTES_SOCKET": str(home.daemon_socket(session)),
    }


@contextlib.contextmanager
def left(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Have a process that does not hear TERM."""
    with subprocess.Popen([sys.executable, "-c", DEAF], env=environment, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"ready\n"
        try:
            yield program
        finally:
            program.kill()


def test_who_bears_the_marks_of_a_session_that_nobody_serves_is_found(home: Home) -> None:
    session = new_id()
    told = marks(home, session)
    with left(told) as program:
        (found,) = find_strays(home, {new_id()})
        assert (found.process.pid, found.session_id) == (program.pid, session)
        assert found.agent_id == told["DESCARTES_AGENT_ID"]
        assert "signal.pause" in found.command
        assert find_strays(home, {session}) == []


def test_who_is_of_another_home_or_bears_half_of_the_marks_is_not(home: Home, tmp_path: Path) -> None:
    half = marks(home, new_id())
    del half["DESCARTES_AGENT_ID"]
    with left(marks(Home(tmp_path / "other"), new_id())), left(half):
        assert find_strays(home, ()) == []


def test_who_looks_is_none_itself_nor_is_who_started_it(home: Home) -> None:
    """Somebody types `descartes gc` in a shell that an agent left."""
    command = [sys.executable, "-c", LOOKS, str(home.path)]
    code = f"import subprocess; print(subprocess.run({command!r}, capture_output=True, text=True).stdout)"
    environment = {**os.environ, **marks(home, new_id())}
    looked = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert looked.stdout.strip() == "[]"


def test_who_does_not_hear_is_killed_after_the_grace(home: Home) -> None:
    with left(marks(home, new_id())) as program:
        end_strays(find_strays(home, ()), 0.1)
        assert program.wait(10) == -signal.SIGKILL
        assert find_strays(home, ()) == []
