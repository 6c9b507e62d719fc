"""Programs written from docs/bus.md alone, as they stand there, speak with a hub and a daemon."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.house import ROOT
from tests.support.person import Person
from tests.support.waiting import wait_until
from tests.whole.test_hub import free_port

#: Runs a program as if nothing of ours were installed.
_WITHOUT_US = (
    "import runpy, sys; sys.modules['descartes_core'] = None; sys.argv = sys.argv[1:];"
    "runpy.run_path(sys.argv[0], run_name='__main__')"
)


@pytest.fixture
def programs(person: Person) -> Path:
    """Give a directory with the programs of the page."""
    directory = person.directory / "programs"
    directory.mkdir()
    for name, text in examples().items():
        (directory / name).write_text(text)
    return directory


def examples() -> dict[str, str]:
    """Return the programs of the page by the names in their first lines."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "bus.md").read_text(), re.DOTALL)
    named = {block.split()[1]: block for block in blocks}
    assert sorted(named) == ["core_client.py", "dealer_client.py", "req_client.py"]
    return named


def test_they_spawn_list_read_follow_and_kill(person: Person, programs: Path) -> None:
    def run(name: str, *words: str, without_us: bool = True) -> str:
        command = [sys.executable, *(["-c", _WITHOUT_US] if without_us else []), name, *words]
        done = subprocess.run(command, cwd=programs, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    hub = person.run("hub", "start", "--endpoint", f"tcp://127.0.0.1:{free_port()}", "--json").json
    person.run("sessions", "start", person.workspace())
    wait_until(lambda: person.run("hub", "status", "--json").json["peers"], "the daemon is there")
    token = person.run("hub", "enroll", "--role", "client", "--name", "ci").stdout.strip()

    said = run("req_client.py", token)
    assert "enrolled as ci\n" in said
    assert "agents: [('greeter', 'running')]\n" in said
    assert "hello" in said
    assert "it is terminated\n" in said

    said = run("dealer_client.py", hub["endpoint"], hub["public_key"], "ci")
    assert [line for line in said.splitlines() if line.startswith("line")] == ["line 1", "line 2", "line 3"]
    assert said.splitlines()[-1] == "exit code 7"

    rows = [
        line.split("\t")
        for line in run("core_client.py", hub["endpoint"], hub["public_key"], without_us=False).splitlines()
    ]
    assert [(title, status, code) for title, _, status, code in rows] == [
        ("shop", "terminated", "None"),
        ("shop", "failed", "7"),
    ]
    person.run("sessions", "stop", "shop")
    person.run("hub", "stop")


def test_the_one_with_our_own_messages_is_short() -> None:
    assert len(examples()["core_client.py"].splitlines()) <= 30
