"""`descartes demo`: the main job, checked, and nothing left of it."""

from __future__ import annotations

import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from descartes_local.processes import environ_of, every_stat
from tests.support.person import Person
from tests.support.programs import installed


def left_behind() -> list[str]:
    """Return directories and processes of any demo."""
    stats = [stat.process for stat in every_stat() if not stat.is_dead]
    processes = [f"process {process.pid}" for process in stats if b"/descartes-demo-" in environ_of(process.pid)]
    return processes + [str(path) for path in Path(tempfile.gettempdir()).glob("descartes-demo-*")]


@pytest.mark.timeout(120)
def test_every_check_of_the_demo_holds(person: Person) -> None:
    shown = person.run("demo", timeout=100, check=False)
    assert shown.code == 0, str(shown)
    assert "✗" not in shown.stdout
    assert shown.stdout.splitlines()[-1].startswith("every check held")
    assert left_behind() == []


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGINT,
        pytest.param(signal.SIGTERM, marks=pytest.mark.soak),
        pytest.param(signal.SIGHUP, marks=pytest.mark.soak),
    ],
)
def test_an_interrupted_demo_leaves_nothing(person: Person, number: signal.Signals) -> None:
    with subprocess.Popen([installed("descartes"), "demo"], stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "killed shop's daemon" in line:  # everything runs, and one daemon is just being started again
                demo.send_signal(number)
                break
        demo.stdout.read()
    assert demo.returncode == 130
    assert left_behind() == []
