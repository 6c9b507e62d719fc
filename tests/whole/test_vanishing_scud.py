"""`.scud` is deleted under a living daemon, as agents do it: nothing is lost, and it is told."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import Locked
from descartes_local.locks import lock_directory
from tests.support.moments import Moments
from tests.support.person import Person
from tests.support.serving import kill_daemon, only_run
from tests.support.storm import ask
from tests.support.waiting import process_gone, wait_until

pytestmark = pytest.mark.supervisor("shared")

WATCHED, REWRITTEN = "daemon.scud.watched", "daemon.scud.rewritten"


@pytest.fixture
def watched(person: Person, moments: Moments) -> Path:
    """Give a workspace in git that ignores .scud, and whose daemon runs."""
    place = person.workspace()
    git(place, "init", "-q")
    (place / ".gitignore").write_text(".scud\n")
    (place / "code").write_text("x\n")
    git(place, "add", ".")
    git(place, "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-qm", "Begin.")
    person.run("sessions", "start", place)
    moments.wait_for(WATCHED)
    return place


def git(place: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=place, check=True, capture_output=True)


def record_of(workspace: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((workspace / ".scud/session.json").read_text())
    return found


def info(person: Person) -> dict[str, Any]:
    found: dict[str, Any] = ask(only_run(person.home).socket, "session.info", {})["session"]
    return found


def told(person: Person, event_type: str) -> list[str]:
    return [line for line in person.run("events").stdout.splitlines() if event_type in line]


def clean(place: Path) -> None:
    git(place, "clean", "-fdXq")


def stash(place: Path) -> None:
    git(place, "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "stash", "-aq")


def remove(place: Path) -> None:
    shutil.rmtree(place / ".scud")


def move_away(place: Path) -> None:
    (place / ".scud").rename(place / "away")


def remove_the_file(place: Path) -> None:
    (place / ".scud/session.json").unlink()


@pytest.mark.parametrize("delete", [clean, stash, remove, move_away, remove_the_file])
def test_it_comes_back_with_the_same_id_and_is_locked(
    person: Person, watched: Path, moments: Moments, delete: Callable[[Path], None]
) -> None:
    before = record_of(watched)
    agent = person.spawn(watched, ["cat"])
    delete(watched)
    moments.wait_for(REWRITTEN)
    assert record_of(watched) == before
    assert any("vanished and was written anew" in notice for notice in info(person)["notices"])
    assert len(told(person, "workspace_rewritten")) == 1
    with pytest.raises(Locked):
        lock_directory(watched / ".scud")
    kill_daemon(person.home)
    with pytest.raises(Locked):  # the new lock is in keeping too
        lock_directory(watched / ".scud")
    person.run("send", "--enter", agent["id"], "still there")
    wait_until(lambda: "still there" in person.run("logs", agent["id"]).stdout, "the agent has gone on")
    person.run("sessions", "stop", "--force", watched)
    assert (record_of(watched)["id"], record_of(watched)["status"]) == (before["id"], "Inactive")
    os.close(lock_directory(watched / ".scud") or -1)


def test_what_vanishes_again_and_again_keeps_nobody_busy(person: Person, watched: Path, moments: Moments) -> None:
    for _ in range(5):
        remove(watched)
        moments.wait_for(REWRITTEN)
        moments.wait_for(WATCHED)
    (notice,) = info(person)["notices"]
    assert "5 times within 10 minutes: something deletes it again and again" in notice
    remove(watched)
    assert moments.wait_for("daemon.scud.pausing") == only_run(person.home).pid
    moments.wait_for(REWRITTEN)
    (notice,) = info(person)["notices"]
    assert "6 times" in notice


def test_a_foreign_file_in_its_place_is_set_aside(person: Person, watched: Path, moments: Moments) -> None:
    before = record_of(watched)
    other = person.directory / "projects" / "other"
    person.run("sessions", "create", other)
    (watched / ".scud/session.json").unlink()
    shutil.copy(other / ".scud/session.json", watched / ".scud/session.json")
    moments.wait_for(REWRITTEN)
    assert record_of(watched) == before
    (aside,) = (watched / ".scud").glob("session.json.torn-*")
    assert json.loads(aside.read_text())["id"] == record_of(other)["id"]


def test_a_workspace_that_is_gone_is_told_once_and_not_made_anew(
    person: Person, watched: Path, moments: Moments
) -> None:
    agent = person.spawn(watched, ["sh", "-c", "cd /; exec cat"])
    before = record_of(watched)
    shutil.rmtree(watched)
    moments.wait_for("daemon.workspace.gone")
    for _ in range(3):
        assert any("not there any more" in notice for notice in info(person)["notices"])
    assert not watched.exists()
    assert len(told(person, "workspace_gone")) == 1
    assert person.run("ps", "--json").json["agents"][0]["id"] == agent["id"]
    watched.mkdir()
    wait_until(lambda: info(person) and (watched / ".scud/session.json").exists(), "the next calls find it again")
    assert record_of(watched) == before


def test_a_workspace_that_moves_while_it_is_served_goes_on(person: Person, watched: Path, moments: Moments) -> None:
    agent = person.spawn(watched, ["cat"])
    moved = watched.rename(watched.with_name("moved"))
    moments.wait_for("daemon.workspace.gone")
    assert not watched.exists()
    assert person.run("sessions", "show", moved, "--json").json["pid"] == only_run(person.home).pid
    assert person.run("ps", "--json").json["agents"][0]["id"] == agent["id"]
    person.run("sessions", "stop", "--force", moved)
    assert person.run("sessions", "start", moved, "--json").json["id"] == record_of(moved)["id"]


def test_a_kill_while_it_is_mended_loses_nothing(person: Person, watched: Path, moments: Moments) -> None:
    before = record_of(watched)
    with moments.hold("daemon.scud.locked") as held:
        remove(watched)
        daemon = held.wait()
        os.kill(daemon, signal.SIGKILL)
        process_gone(daemon)
    moments.wait_for(WATCHED)
    assert record_of(watched)["id"] == before["id"]
    with pytest.raises(Locked):
        lock_directory(watched / ".scud")
