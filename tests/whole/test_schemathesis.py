"""The daemon does what its own description says, whatever is sent to it."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.support.house import ROOT
from tests.support.person import Person
from tests.support.programs import installed
from tests.support.raw_doors import RawDoors, log_of, started
from tests.support.serving import only_run

pytestmark = pytest.mark.supervisor("shared")


def attack(person: Person, doors: RawDoors, seconds: int, *options: str) -> subprocess.CompletedProcess[str]:
    """Run schemathesis against a daemon, but for its end; harmless commands are started instead of what it makes up."""
    workspace = person.directory / "projects" / "shop"
    agents = [
        person.spawn(workspace, ["cat"])["id"],
        person.spawn(workspace, ["sh", "-c", "seq 2000; exec sleep 3600"])["id"],
        person.spawn(workspace, ["true"])["id"],
    ]
    command = [
        installed("schemathesis"),
        f"--config-file={ROOT}/tests/support/schemathesis.toml",
        "run",
        f"http://127.0.0.1:{doors.http}/openapi.json",
        f"--header=Authorization: Bearer {doors.secret}",
        "--exclude-path=/shutdown",
        "--exclude-path=/rpc/system.shutdown",
        "--exclude-path=/rpc/session.export",  # it writes wherever it is told
        f"--max-time={seconds}",
        "--no-color",
        *options,
    ]
    hooks = {"SCHEMATHESIS_HOOKS": "tests.support.schemathesis_hooks", "DESCARTES_TEST_AGENTS": " ".join(agents)}
    return subprocess.run(
        command,
        cwd=person.directory,
        env={**os.environ, "PYTHONPATH": str(ROOT), **hooks},
        capture_output=True,
        text=True,
        timeout=seconds + 60,
        check=False,
    )


def assert_nothing_found(person: Person, before: int, ran: subprocess.CompletedProcess[str]) -> None:
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Traceback" not in log_of(person)
    assert only_run(person.home).pid == before


def test_nothing_is_found_in_a_short_while(person: Person) -> None:
    doors = started(person)
    before = only_run(person.home).pid
    ran = attack(person, doors, 8, "--phases=coverage,fuzzing", "--max-examples=10", "--seed=1")
    assert_nothing_found(person, before, ran)


@pytest.mark.soak
def test_nothing_is_found_in_a_long_while(person: Person) -> None:
    doors = started(person)
    before = only_run(person.home).pid
    assert_nothing_found(person, before, attack(person, doors, 600))
