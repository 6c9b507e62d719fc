"""Commands about sessions are killed in the middle: nothing is torn, half deleted or done twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from descartes_local import registry
from tests.support.moments import Moments
from tests.support.person import Person
from tests.support.serving import only_run
from tests.support.waiting import process_gone

pytestmark = pytest.mark.supervisor("shared")


def record_of(workspace: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((workspace / ".scud/session.json").read_text())
    return found


def killed_at(person: Person, moments: Moments, moment: str, *words: object) -> None:
    """Run a command and kill it at a moment."""
    with moments.hold(moment) as held, person.start("sessions", *words) as command:
        assert held.wait() == command.pid
        command.kill()
        command.wait(20)


@pytest.mark.parametrize(("moment", "name"), [("session.renaming", "shop"), ("session.renamed", "store")])
def test_a_rename_is_done_or_not(person: Person, created: Path, moments: Moments, moment: str, name: str) -> None:
    killed_at(person, moments, moment, "rename", created, "store")
    assert record_of(created)["name"] == name
    person.run("sessions", "rename", created, "again")
    assert record_of(created)["name"] == "again"


@pytest.mark.parametrize("moment", ["session.renaming", "session.renamed"])
def test_a_rename_whose_daemon_is_killed_is_done_by_the_next(
    person: Person, created: Path, moments: Moments, moment: str
) -> None:
    person.run("sessions", "start", created)
    with moments.hold(moment) as held:
        command = person.start("sessions", "rename", created, "store")
        daemon = held.wait()
        assert daemon == only_run(person.home).pid
        os.kill(daemon, signal.SIGKILL)
        process_gone(daemon)
    assert command.wait(30) == 0
    assert record_of(created)["name"] == only_run(person.home).name == "store"
    told = [line for line in person.run("events").stdout.splitlines() if "session_renamed" in line]
    assert len(told) <= 1


@pytest.mark.parametrize(
    ("moment", "status"),
    [("session.archive_asked", "Inactive"), ("session.archived", "Archived")],
)
def test_an_archiving_is_done_or_not(person: Person, created: Path, moments: Moments, moment: str, status: str) -> None:
    agent = person.spawn(created, ["cat"])
    killed_at(person, moments, moment, "archive", "--force", created)
    assert record_of(created)["status"] == person.run("sessions", "show", created, "--json").json["status"] == status
    if status == "Inactive":
        person.run("sessions", "archive", created)
    person.run("sessions", "unarchive", created)
    person.run("sessions", "start", created)
    assert person.run("ps", "-a", "--json").json["agents"][0]["id"] == agent["id"]


@pytest.mark.parametrize("moment", ["session.deleting", "session.deleted"])
def test_a_forgetting_is_finished_by_a_repeat(person: Person, created: Path, moments: Moments, moment: str) -> None:
    identity = record_of(created)["id"]
    killed_at(person, moments, moment, "delete", created)
    person.run("sessions", "delete", created)
    assert not (created / ".scud/session.json").exists()
    assert identity not in registry.read(person.home).known


def test_a_removal_that_was_only_intended_leaves_the_whole_tree(
    person: Person, created: Path, moments: Moments
) -> None:
    killed_at(person, moments, "session.delete.intended", "delete", "--files", "--yes", created)
    assert sorted(path.name for path in created.iterdir()) == [".scud", "data", "logs", "thoughts"]
    assert person.run("sessions", "list", "--json").json["notes"] == []
    person.run("sessions", "start", created)
    person.run("sessions", "stop", created)
    person.run("sessions", "delete", "--files", "--yes", created)
    assert os.listdir(created.parent) == []
    assert registry.read(person.home) == registry.Registry()


@pytest.mark.parametrize("moment", ["session.delete.renamed", "session.delete.emptied"])
@pytest.mark.parametrize(
    "how", ["path", pytest.param("id", marks=pytest.mark.soak), pytest.param("name", marks=pytest.mark.soak), "trash"]
)
def test_a_removal_in_the_middle_is_told_and_finished_by_a_repeat(
    person: Person, created: Path, moments: Moments, moment: str, how: str
) -> None:
    identity = record_of(created)["id"]
    killed_at(person, moments, moment, "delete", "--files", "--yes", created)
    assert not created.exists()
    (left,) = created.parent.iterdir()
    assert left.name.startswith(".shop.deleted-")
    (note,) = person.run("sessions", "list", "--json").json["notes"]
    assert f"`descartes sessions delete {created}`" in note
    text = {"path": created, "id": identity, "name": "shop", "trash": left}[how]
    person.run("sessions", "delete", "--files", "--yes", text)
    assert os.listdir(created.parent) == []
    assert registry.read(person.home) == registry.Registry()


@pytest.mark.parametrize(("moment", "is_done"), [("session.adopting", False), ("session.adopted", True)])
def test_an_adoption_is_done_or_not(
    person: Person, created: Path, moments: Moments, moment: str, is_done: bool
) -> None:
    copy = created.with_name("copy")
    shutil.copytree(created, copy)
    killed_at(person, moments, moment, "adopt", copy)
    assert (record_of(copy)["id"] != record_of(created)["id"]) is is_done
    if not is_done:
        person.run("sessions", "adopt", copy)
    for place in (created, copy):
        person.run("sessions", "start", place)
    assert {one["rival"] for one in person.run("sessions", "list", "--json").json["sessions"]} == {None}


def test_a_relocation_is_done_by_a_repeat(person: Person, created: Path, moments: Moments) -> None:
    moved = created.rename(created.with_name("moved"))
    killed_at(person, moments, "session.relocating", "relocate", "shop", moved)
    assert person.run("sessions", "relocate", record_of(moved)["id"], moved, "--json").json["path"] == str(moved)
    assert record_of(moved)["path"] == str(moved)


def test_a_session_is_archived_while_its_daemon_is_about_to_start(
    person: Person, created: Path, moments: Moments
) -> None:
    """The command has looked, and then another lays the session aside: the daemon looks again once it has the locks."""
    with moments.hold("session.archive_asked") as held:
        archiving = person.start("sessions", "archive", created)
        held.wait()
        starting = person.start("sessions", "start", created)
        moments.wait_for("daemon.locking")
        held.release()
        assert (archiving.wait(30), starting.wait(30)) == (0, 5)
    assert record_of(created)["status"] == "Archived"
    assert person.run("sessions", "show", created, "--json").json["status"] == "Archived"
    person.run("sessions", "unarchive", created)
    assert person.run("spawn", created, "--wait", "--", "true").code == 0
