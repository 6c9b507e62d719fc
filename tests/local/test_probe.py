from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.moments import Moments

CODE = "from descartes_local.probe import reached; reached('a.moment'); print('went on', flush=True)"


def run(probe: Path | None) -> subprocess.Popen[bytes]:
    env = {**os.environ, **({"DESCARTES_PROBE": str(probe)} if probe else {})}
    return subprocess.Popen([sys.executable, "-c", CODE], env=env, stdout=subprocess.PIPE)


def test_without_a_harness_nothing_happens(tmp_path: Path) -> None:
    for probe in (None, tmp_path / "gone"):
        with run(probe) as program:
            assert program.communicate(timeout=20)[0] == b"went on\n"


def test_a_held_moment_holds_the_program(tmp_path: Path) -> None:
    moments = Moments(tmp_path / "probe")
    try:
        with moments.hold("a.moment") as held, run(moments.path) as program:
            assert held.wait() == program.pid
            assert program.poll() is None
            held.release()
            assert program.communicate(timeout=20)[0] == b"went on\n"
    finally:
        moments.close()


def test_a_harness_that_goes_away_lets_go(tmp_path: Path) -> None:
    moments = Moments(tmp_path / "probe")
    with moments.hold("a.moment") as held, run(moments.path) as program:
        held.wait()
        moments.close()
        assert program.communicate(timeout=20)[0] == b"went on\n"
