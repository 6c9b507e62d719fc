"""A session's whole life, with the installed command."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest

from descartes_local.rpc_client import call
from tests.support.person import Person
from tests.support.programs import installed
from tests.support.refusing import refused
from tests.support.serving import kill_daemon, only_run

pytestmark = pytest.mark.supervisor("shared")


def listed(person: Person, *words: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = person.run("sessions", "list", "--json", *words).json["sessions"]
    return found


def record_of(workspace: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((workspace / ".scud/session.json").read_text())
    return found


def test_it_is_renamed_at_rest_and_while_it_runs(person: Person, created: Path) -> None:
    identity = person.run("sessions", "rename", "shop", "store", "--json").json["id"]
    assert record_of(created)["name"] == "store"
    refused(person, 3, ["sessions", "show", "shop"])
    agent = person.spawn(created, ["cat"])
    person.run("sessions", "rename", "store", "the 🐢 shop")
    assert record_of(created)["name"] == only_run(person.home).name == "the 🐢 shop"
    assert person.run("ps", "--json").json["sessions"][0]["name"] == "the 🐢 shop"
    (told,) = [one for one in person.run("events").stdout.splitlines() if "session_renamed" in one]
    assert '"was": "store"' in told
    shutil.rmtree(created / ".scud")
    killed = kill_daemon(person.home)
    assert only_run(person.home).name == killed.name, "the supervisor started it by its new name"
    assert person.run("ps", "--json").json["agents"][0]["id"] == agent["id"]
    person.run("sessions", "stop", "--force", "the 🐢 shop")
    assert (record_of(created)["name"], record_of(created)["id"]) == ("the 🐢 shop", identity)
    for name in ("", " ", "a/b", "two\nlines", "x" * 101):
        refused(person, 2, ["sessions", "rename", created, name], "name")
    assert record_of(created)["name"] == "the 🐢 shop"


def test_it_is_laid_aside_and_taken_up_again(person: Person, created: Path) -> None:
    person.run("sessions", "use", created)
    agent = person.spawn(created, ["cat"])
    refused(person, 5, ["sessions", "archive", "shop"], "--force")
    archived = person.run("sessions", "archive", "--force", "shop", "--json").json
    assert (archived["status"], archived["ended"], archived["pid"]) == ("Archived", [agent["id"]], None)
    assert record_of(created)["status"] == "Archived"
    for words in (["start", "shop"], ["use", "shop"], ["use", "--no-start", "shop"], ["archive", "shop"]):
        refused(person, 5, ["sessions", *words], "Archived", "unarchive" if words[0] != "archive" else "nothing to do")
    refused(person, 5, ["spawn", created, "--", "true"], "descartes sessions unarchive")
    refused(person, 3, ["spawn", "--", "true"], "no active session")
    assert listed(person) == []
    told = person.run("sessions", "list", "--json").json
    assert (told["active_session_id"], told["counts"]["Archived"], told["counts"]["Inactive"]) == (None, 1, 0)
    for words in (["-a"], ["--status", "archived"], ["--status", "ARCHIVED", "--name", "SHO"]):
        assert [one["status"] for one in listed(person, *words)] == ["Archived"]
    assert person.run("sessions", "unarchive", "shop", "--json").json["status"] == "Inactive"
    refused(person, 5, ["sessions", "unarchive", "shop"], "Inactive")
    person.run("sessions", "start", "shop")
    assert "cat" in person.run("ps", "-a").stdout, "its history has stayed"


def test_the_list_is_filtered_and_counted(person: Person, created: Path) -> None:
    bank = person.workspace("bank")
    person.run("sessions", "use", created)
    gone = person.directory / "gone"
    env = {"DESCARTES_DISCOVERY__SEARCH_PATHS": json.dumps(["~/projects", str(gone)])}
    told = person.run("sessions", "list", "--json", env=env).json
    assert [one["name"] for one in told["sessions"]] == ["bank", "shop"]
    assert told["active_session_id"] == told["sessions"][1]["id"]
    assert told["errors"] == {str(gone): "No such file or directory"}
    assert told["counts"] == dict.fromkeys(("Starting", "Stopping", "Archived", "Error"), 0) | {
        "Active": 1,
        "Inactive": 1,
    }
    for words, names in (
        (["--status", "active"], ["shop"]),
        (["--status", "Inactive"], ["bank"]),
        (["--name", "AN"], ["bank"]),
        (["--path", "~/projects/sh"], ["shop"]),
        (["--path", bank, "--status", "active"], []),
    ):
        assert [one["name"] for one in listed(person, *words)] == names
    refused(person, 2, ["sessions", "list", "--status", "asleep"], "inactive")
    assert "none of 2 sessions" in person.run("sessions", "list", "--name", "nobody").stdout


def test_use_starts_it_unless_told_not_to(person: Person, created: Path) -> None:
    assert person.run("sessions", "use", "--no-start", "shop", "--json").json["status"] == "Inactive"
    used = person.run("sessions", "use", "shop", "--json").json
    assert (used["status"], used["is_active"], used["pid"]) == ("Active", True, only_run(person.home).pid)


def test_it_is_forgotten_and_nothing_is_lost(person: Person, created: Path) -> None:
    agent = person.spawn(created, ["echo", "kept"])
    person.run("wait", agent["id"])
    sleeper = person.spawn(created, ["sleep", "600"])
    refused(person, 5, ["sessions", "delete", "shop"], "alive")
    person.run("kill", sleeper["id"])
    before = sorted(path.name for path in created.iterdir())
    deleted = person.run("sessions", "delete", "shop", "--json").json
    assert (deleted["path"], deleted["files_removed"]) == (str(created), False)
    assert sorted(path.name for path in created.iterdir()) == before
    assert not (created / ".scud/session.json").exists()
    assert (Path(deleted["data"]) / "agents" / agent["id"] / "output.log").read_text() == "kept\n"
    assert [one["id"] for one in listed(person) if one["id"] == deleted["id"]] == []
    assert "[deleted; what is known of its agents stays]" in person.run("ps", "-a").stdout
    assert person.run("sessions", "delete", created).code == 0, "there is nothing more to do"


def test_it_is_removed_with_all_its_files(person: Person, created: Path) -> None:
    person.run("sessions", "use", created)
    beside = created.with_name("precious")
    beside.mkdir()
    (beside / "kept").write_text("")
    (created / "link").symlink_to(beside)
    deep = created / "read only" / "deep"
    deep.mkdir(parents=True)
    (deep / "file").write_text("")
    deep.chmod(0o555)
    deep.parent.chmod(0o555)
    refused(person, 5, ["sessions", "delete", "shop", "--files"], "--yes", created)
    deleted = person.run("sessions", "delete", "shop", "--files", "--yes", "--json").json
    assert deleted["files_removed"]
    assert os.listdir(created.parent) == ["precious"]
    assert (beside / "kept").exists()
    assert Path(deleted["data"]).is_dir()
    assert (listed(person), person.run("sessions", "list", "--json").json["active_session_id"]) == ([], None)


def test_its_history_is_removed_only_when_told_so(person: Person, created: Path) -> None:
    person.run("sessions", "start", created)
    data = Path(person.run("sessions", "show", created, "--json").json["data"])
    assert data.is_dir()
    refused(person, 5, ["sessions", "delete", "shop", "--data"], "history", "--yes")
    assert data.is_dir()
    deleted = person.run("sessions", "delete", "shop", "--data", "--files", "-y", "--json").json
    assert deleted["data"] is None
    assert (data.exists(), created.exists()) == (False, False)
    assert os.listdir(data.parent) == []


def test_what_must_not_be_removed_is_refused(person: Person, created: Path, tmp_path: Path) -> None:
    link = person.directory / "link"
    link.symlink_to(created)
    inner = person.workspace("shop/inner")
    person.run("sessions", "start", inner)
    (person.directory / ".scud").mkdir()
    for words, why in (
        ([person.directory], "never removed"),
        ([link], "is a link"),
        ([f"{link}/"], "is a link"),
        ([created / "data"], "lies within"),
        ([created], f"the workspace {inner} in it is served"),
    ):
        refused(person, 5, ["sessions", "delete", "--files", "--yes", *words], why)
    refused(person, 3, ["sessions", "delete", "--files", "--yes", "/"], "workspace")
    refused(person, 3, ["sessions", "delete", "--files", "--yes", tmp_path], "not in a workspace")
    refused(person, 3, ["sessions", "delete", "--files", "--yes", "nobody"])
    assert (created / ".scud/session.json").exists()
    assert (inner / ".scud/session.json").exists()
    person.run("sessions", "stop", inner)
    assert (
        f"{inner.name}" in refused(person, 5, ["sessions", "delete", "--files", created], "1 workspaces within").stderr
    )
    person.run("sessions", "delete", "--files", "--yes", created)
    assert not created.exists()


def test_a_moved_one_is_found_again_or_told_where_it_is(person: Person, created: Path) -> None:
    identity = record_of(created)["id"]
    agent = person.spawn(created, ["echo", "kept"])
    person.run("wait", agent["id"])
    away = person.directory / "away" / "shop"
    away.parent.mkdir()
    refused(person, 5, ["sessions", "relocate", "shop", created], "lives")
    person.run("sessions", "stop", "shop")
    created.rename(away)
    refused(person, 3, ["sessions", "relocate", "shop", person.directory / "nowhere"], "nowhere")
    refused(person, 5, ["sessions", "relocate", "shop", person.workspace("other")], "session.json")
    assert person.run("sessions", "relocate", "shop", away, "--json").json["path"] == str(away)
    assert (record_of(away)["path"], record_of(away)["id"]) == (str(away), identity)
    assert person.run("logs", agent["id"]).stdout == "kept\n"
    person.run("sessions", "stop", "shop")
    back = person.directory / "projects" / "back"
    away.rename(back)
    assert [(one["id"], one["path"]) for one in listed(person) if one["id"] == identity] == [(identity, str(back))]
    assert person.run("sessions", "start", back, "--json").json["id"] == identity


def test_a_copy_is_a_conflict_until_it_is_adopted(person: Person, created: Path) -> None:
    agent = person.spawn(created, ["echo", "kept"])
    person.run("wait", agent["id"])
    person.run("sessions", "stop", "shop")
    copy = created.with_name("copy")
    shutil.copytree(created, copy)
    for place in (created, copy):
        for words in (["sessions", "start", place], ["spawn", place, "--", "true"], ["sessions", "use", place]):
            refused(person, 5, words, created, copy, "descartes sessions adopt")
    assert {one["path"]: one["rival"] for one in listed(person)} == {str(created): str(copy), str(copy): str(created)}
    refused(person, 5, ["sessions", "rename", copy, "other"], "adopt")
    refused(person, 5, ["sessions", "relocate", "shop", copy], created, copy)
    adopted = person.run("sessions", "adopt", copy, "--json").json
    assert adopted["id"] != record_of(created)["id"]
    assert (adopted["name"], adopted["rival"], record_of(copy)["id"]) == ("shop", None, adopted["id"])
    refused(person, 5, ["sessions", "adopt", copy], "only workspace")
    started = [person.run("sessions", "start", place, "--json").json for place in (created, copy)]
    assert len({one["http_endpoint"] for one in started}) == 2
    assert call(started[0]["socket"], "agent.list", {"all": True})["agents"][0]["id"] == agent["id"]
    assert call(started[1]["socket"], "agent.list", {"all": True})["agents"] == []


def test_the_original_may_be_given_up_for_its_copy(person: Person, created: Path) -> None:
    identity = record_of(created)["id"]
    copy = created.with_name("copy")
    shutil.copytree(created, copy)
    person.run("sessions", "list")
    assert person.run("sessions", "adopt", created, "--json").json["id"] != identity
    assert person.run("sessions", "start", copy, "--json").json["id"] == identity
    assert {one["path"]: one["rival"] for one in listed(person)} == {str(created): None, str(copy): None}


def test_a_copy_of_what_runs_is_deleted_and_the_original_runs_on(person: Person, created: Path) -> None:
    agent = person.spawn(created, ["cat"])
    copy = created.with_name("copy")
    shutil.copytree(created, copy)
    refused(person, 5, ["sessions", "stop", "--force", copy], "adopt")
    refused(person, 5, ["sessions", "delete", "--files", "--data", "--yes", copy], "not removed with a copy")
    person.run("sessions", "delete", "--files", "--yes", copy)
    assert person.run("ps", "--json").json["agents"][0]["id"] == agent["id"]
    assert person.run("spawn", created, "--wait", "--", "true").code == 0


def test_another_home_is_told_who_serves_it(person: Person, created: Path) -> None:
    person.run("sessions", "start", created)
    env = {"DESCARTES_HOME": str(person.directory / "another")}
    for _ in range(2):
        for words in (["sessions", "start", created], ["spawn", created, "--", "true"], ["sessions", "use", created]):
            refused(person, 5, words, only_run(person.home).pid, person.home.path, env=env)
        refused(person, 5, ["sessions", "rename", created, "mine"], person.home.path, env=env)
        refused(person, 5, ["sessions", "archive", created], person.home.path, env=env)
        refused(person, 5, ["sessions", "delete", "--files", "--yes", created], person.home.path, env=env)
        kill_daemon(person.home)  # what is in keeping is held all the same
    assert record_of(created)["name"] == "shop"


def test_a_lone_daemon_serves_nothing_that_was_laid_aside_or_is_another_s(person: Person, created: Path) -> None:
    before = record_of(created)
    for words, why in (([], "unarchive"), (["--session-id", str(uuid.uuid4())], before["id"])):
        if not words:
            person.run("sessions", "archive", created)
        command = [installed("descartes-daemon"), "--workdir", str(created), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=40)
        assert (done.returncode, "Traceback" in done.stderr) == (5, False), done.stderr
        assert why in done.stderr.splitlines()[-1]
        assert record_of(created)["id"] == before["id"]
        if not words:
            person.run("sessions", "unarchive", created)


@pytest.mark.skipif(os.getuid() != 0, reason="only root mounts")
@pytest.mark.parametrize("how", ["full", "read-only"])
def test_where_nothing_can_be_written_it_is_refused_and_stays_whole(person: Person, how: str) -> None:
    disk = person.directory / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=True)
    try:
        created, copy = disk / "shop", disk / "copy"
        person.run("sessions", "create", created)
        shutil.copytree(created, copy)
        before = record_of(created)
        if how == "full":
            with contextlib.suppress(OSError), (disk / "filler").open("wb") as filler:
                filler.write(bytes(1 << 17))
        else:
            subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        why = "No space left" if how == "full" else "Read-only file system"
        for words in (["rename", created, "store"], ["archive", created], ["adopt", copy]):
            refused(person, 4, ["sessions", *words], why)
        if how == "read-only":
            refused(person, 4, ["sessions", "delete", created], why)
            refused(person, 4, ["sessions", "delete", "--files", "--yes", created], why)
        assert record_of(created) == record_of(copy) == before
        assert [path.name for path in (created / ".scud").iterdir() if path.name.startswith(".")] == []
        if how == "full":  # to make room one must be able to delete
            person.run("sessions", "delete", "--files", "--yes", copy)
            assert not copy.exists()
    finally:
        subprocess.run(["umount", disk], check=True)
