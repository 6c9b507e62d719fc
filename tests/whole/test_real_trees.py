"""Trees that the real `scud` wrote are served, and are byte-identical afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import stat
from pathlib import Path

import pytest

from tests.support.house import ROOT
from tests.support.person import Person

TREES = ROOT.parent / "shared" / "scud-trees"
NAMES = ["coalgas", "descartes", "hl_project"]

pytestmark = pytest.mark.skipif(not TREES.is_dir(), reason=f"there are no real trees at {TREES}")


def content_of(directory: Path) -> dict[str, tuple[int, str]]:
    """Return each path below with its mode and what it holds."""
    found = {}
    for path in sorted(directory.rglob("*")):
        held = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "a directory"
        found[str(path.relative_to(directory))] = (stat.S_IMODE(path.stat().st_mode), held)
    return found


@pytest.fixture
def trees(person: Person) -> Path:
    """Copy them to where the configuration will have them looked for."""
    copied = person.directory / "real trees"
    shutil.copytree(TREES, copied)
    for path in (copied, *copied.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    person.home.make()
    (person.home.path / "config.toml").write_text(f"[discovery]\nsearch_paths = [{json.dumps(str(copied))}]\n")
    return copied


def test_they_are_found_and_finding_changes_nothing(person: Person, trees: Path) -> None:
    before = content_of(trees)
    listed = person.run("sessions", "list", "--json").json
    assert [(one["name"], one["path"], one["status"]) for one in listed["sessions"]] == [
        (name, str(trees / name), "Inactive") for name in NAMES
    ]
    assert (listed["errors"], listed["notes"]) == ({}, [])
    assert person.run("sessions", "list", "--json").json == listed
    assert content_of(trees) == before


def test_they_are_served_and_nothing_but_session_json_is_written(person: Person, trees: Path) -> None:
    before = content_of(trees)
    ids = {one["name"]: one["id"] for one in person.run("sessions", "list", "--json").json["sessions"]}
    for name in NAMES:
        person.run("sessions", "start", trees / name)
        agent = person.spawn(trees / name, ["cat", ".scud/tasks/tasks.scg"], "--cwd", trees / name)
        assert person.run("wait", agent["id"]).code == 0
        said = person.run("logs", agent["id"], "--format", "raw").stdout
        assert said.replace("\r\n", "\n") == (trees / name / ".scud/tasks/tasks.scg").read_text()
    for session in person.run("ps", "--json").json["sessions"]:
        os.kill(session["pid"], signal.SIGKILL)
    for name in NAMES:
        person.run("sessions", "stop", name)
    after = content_of(trees)
    written = {f"{name}/.scud/session.json" for name in NAMES}
    assert after.keys() - before.keys() == written
    assert {path: held for path, held in after.items() if path not in written} == before
    for name in NAMES:
        record = json.loads((trees / name / ".scud/session.json").read_text())
        assert (record["id"], record["status"], record["path"]) == (ids[name], "Inactive", str(trees / name))
