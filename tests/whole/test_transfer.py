"""A session goes elsewhere in one file, from the installed command; a kill leaves nothing of it, or all."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.moments import Moments
from tests.support.person import Person
from tests.support.serving import only_run
from tests.support.waiting import process_gone, wait_until

pytestmark = pytest.mark.supervisor("shared")


def listed(person: Person) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = person.run("sessions", "list", "--json").json["sessions"]
    return found


def test_a_session_is_taken_elsewhere_with_all_that_was_said(person: Person, created: Path) -> None:
    talker = person.spawn(created, ["sh", "-c", "seq 100000"])["id"]
    person.run("wait", talker)
    sleeper = person.spawn(created, ["sleep", "1000"])["id"]
    file = person.directory / "shop.tar"
    told = person.run("sessions", "export", created, file, "--json").json
    assert (told["bytes"], told["agents"]) == (file.stat().st_size, 2)
    refused = person.run("sessions", "export", created, file, check=False)
    assert (refused.code, "exists already" in refused.stderr) == (5, True)
    there = person.directory / "elsewhere"
    made = person.run("sessions", "import", file, "--path", there, "--json").json
    assert (made["was"], made["status"], made["lost"]) == (told["session_id"], "Inactive", [sleeper])
    assert made["id"] != told["session_id"]
    assert person.run("logs", "-s", there, talker).stdout == person.run("logs", "-s", created, talker).stdout
    agents = person.run("ps", "--all", "-s", there, "--json").json["agents"]
    assert {agent["id"]: agent["status"] for agent in agents} == {talker: "completed", sleeper: "failed"}
    events = [event["event_type"] for event in person.run("events", "-s", there, "--json").lines]
    assert events.count("session_imported") == 1
    living = person.run("ps", "-s", created, "--json").json["agents"]
    assert [agent["id"] for agent in living] == [sleeper], "who lives is not touched"


@pytest.mark.parametrize("moment", ["export.rows_copied", "export.logs_written", "export.written"])
def test_an_export_whose_daemon_is_killed_is_done_by_the_next(
    person: Person, created: Path, moments: Moments, moment: str
) -> None:
    person.run("sessions", "start", created)
    daemon = only_run(person.home).pid
    place = person.directory / "exports"
    place.mkdir()
    with moments.hold(moment) as held:
        command = person.start("sessions", "export", created, place / "shop.tar")
        assert held.wait() == daemon
        assert list(place.iterdir()) == [], "it has no name before it is whole"
        os.kill(daemon, signal.SIGKILL)
        process_gone(daemon)
        assert list(place.iterdir()) == []
    assert command.wait(30) == 0
    assert [path.name for path in place.iterdir()] == ["shop.tar"]
    data = person.home.session(only_run(person.home).session_id)
    assert not list(data.glob(".export-*")), "what the killed one left is gone"


@pytest.mark.parametrize(
    ("moment", "is_there"), [("import.unpacked", False), ("import.data_placed", False), ("import.saved", True)]
)
def test_an_import_that_is_killed_made_all_or_nothing(
    person: Person, created: Path, moments: Moments, moment: str, is_there: bool
) -> None:
    file, there = person.directory / "shop.tar", person.directory / "there"
    agent = person.spawn(created, ["echo", "said"])["id"]
    person.run("wait", agent)
    person.run("sessions", "export", created, file)
    before = listed(person)
    with moments.hold(moment) as held, person.start("sessions", "import", file, "--path", there) as command:
        assert held.wait() == command.pid
        command.kill()
        command.wait(20)
    assert (there / ".scud" / "session.json").exists() == is_there
    stored = {one["session_id"] for one in person.run("ps", "--all", "--json").json["agents"]}
    assert len(stored) <= len(before) + is_there
    again = person.run("sessions", "import", file, "--path", there, "--json", check=False)
    assert again.code == (5 if is_there else 0)
    made = json.loads((there / ".scud" / "session.json").read_text())["id"]
    data = sorted(os.listdir(person.home.path / "sessions"))
    assert data == sorted([*{one["id"] for one in before}, made]), "no leftover stays"
    assert person.run("logs", "-s", there, agent).stdout == "said\n"


def test_what_kills_left_is_named_by_doctor_and_removed(person: Person, created: Path) -> None:
    data = person.home.session(person.run("sessions", "show", created, "--json").json["id"])
    person.run("sessions", "start", created)
    person.run("sessions", "stop", created)
    imported, exported = data.parent / ".import-0123", data / ".export-0123"
    for place in (imported, exported):
        place.mkdir()
        (place / "state.db").write_bytes(bytes(10_000))
    told = [one["text"] for one in person.run("doctor", "--json", check=False).json["remarks"]]
    for place in (imported, exported):
        assert any(str(place) in text and "killed" in text for text in told)
    outside = person.directory / "outside"
    outside.mkdir()
    assert str(imported) in person.run("gc", "--dry-run", cwd=outside).stdout
    assert imported.exists()
    assert person.run("gc", "--yes", "--json", cwd=outside).json["left_by_imports"] == [str(imported)]
    wait_until(lambda: not exported.exists(), "the session's daemon, which gc has started, removes the other one")
    assert not imported.exists()
