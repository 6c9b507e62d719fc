"""Bad names and commands get a clear error, one line and the right exit code, and harm nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.person import Person
from tests.support.programs import installed
from tests.support.refusing import refused

pytestmark = pytest.mark.supervisor("shared")

NOBODY = "nobody-of-that-name"


def test_a_name_that_cannot_be_one_is_refused(person: Person, shop: Path) -> None:
    new = person.directory / "new"
    for name in ("", " ", "two\nlines", "a\x1b[31mred", "../escape", "a/b", "x" * 10_000, "\u2028", "\udcff"):
        refused(person, 2, ["spawn", shop, "--name", name, "--", "true"], "" if name == "\udcff" else "name")
        refused(person, 2, ["sessions", "create", new, "--name", name])
    assert not (new / ".scud").exists()
    assert person.run("ps", "-a", "--json").json["agents"] == []


def test_a_name_that_people_can_read_works(person: Person, shop: Path) -> None:
    for name in ("🐢", "żółw", "日本語", "👩\u200d💻", "-dash", "two words", "a" * 100):
        assert person.spawn(shop, ["cat"], f"--name={name}")["name"] == name
        assert name in person.run("ps").stdout
        person.run("send", "--enter", "--", name, "hello")
        person.run("kill", "--", name)


def test_a_command_that_cannot_be_executed_says_why(person: Person, shop: Path) -> None:
    text = shop / "text"
    text.write_text("no program\n")
    looped = shop / "looped"
    looped.write_text("#!/no/such/interpreter\n")
    looped.chmod(0o755)
    for command, reason in (
        ("/no/such/program", "not found"),
        ("no-such-program-anywhere", "not found"),
        (str(shop), "directory"),
        (str(text), "ermission denied"),
        (str(looped), "interpreter"),
    ):
        refused(person, 4, ["spawn", shop, "--", command], Path(command).name, reason)
    refused(person, 4, ["spawn", shop, "--cwd", shop / "gone", "--", "true"], "gone")
    refused(person, 2, ["spawn", shop, "--", ""])
    states = {one["status"] for one in person.run("ps", "-a", "--json").json["agents"]}
    assert states == {"failed"}
    assert person.run("ps", "--json").json["agents"] == []


def test_an_agent_that_has_ended_is_past_changing(person: Person, shop: Path) -> None:
    made = person.spawn(shop, ["echo", "kept"], "--name", "past")
    person.run("wait", "past")
    for verb in (["kill"], ["kill", "--force"], ["stop"], ["pause"], ["resume"]):
        refused(person, 5, [*verb, "past"], "past")
    refused(person, 5, ["send", "past", "hello"], "past")
    assert attach_in_a_terminal("past") == (5, 1)
    assert person.run("logs", made["id"]).stdout == "kept\n"
    assert person.run("wait", made["id"]).code == 0


def attach_in_a_terminal(name: str) -> tuple[int, int]:
    """Return the exit code of `attach` on a real terminal, and how many lines it said."""
    master, slave = os.openpty()
    try:
        command = [installed("descartes"), "attach", name]
        done = subprocess.run(command, stdin=slave, stdout=slave, stderr=subprocess.PIPE, text=True, timeout=30)
        return done.returncode, done.stderr.count("\n")
    finally:
        os.close(master)
        os.close(slave)


def test_what_is_not_there_is_not_found(person: Person, shop: Path) -> None:
    person.run("sessions", "start", shop)
    for words in (
        ["kill", NOBODY],
        ["kill", "--force", NOBODY],
        ["stop", NOBODY],
        ["pause", NOBODY],
        ["resume", NOBODY],
        ["send", NOBODY, "x"],
        ["logs", NOBODY],
        ["logs", "-f", NOBODY],
        ["wait", NOBODY],
        ["sessions", "show", NOBODY],
        ["sessions", "start", NOBODY],
        ["sessions", "stop", NOBODY],
        ["sessions", "use", NOBODY],
        ["ps", "-s", NOBODY],
        ["events", "-s", NOBODY],
        ["spawn", NOBODY, "--", "true"],
    ):
        refused(person, 3, list(words), NOBODY)


def test_what_fits_more_than_one_lists_them(person: Person) -> None:
    first, second = (person.workspace(name) for name in ("one", "two"))
    ids = [person.spawn(workspace, ["sleep", "600"], "--name", "twin")["id"] for workspace in (first, second)]
    for words in (["kill", "twin"], ["send", "twin", "x"], ["logs", "twin"], ["wait", "twin"], ["pause", "twin"]):
        refused(person, 2, list(words), *ids)
    for workspace in (first, second):
        person.run("sessions", "create", person.directory / "more" / workspace.name, "--name", "same")
    shown = [one["id"] for one in person.run("sessions", "list", "--json").json["sessions"] if one["name"] == "same"]
    for verb in ("show", "start", "stop", "use"):
        refused(person, 2, ["sessions", verb, "same"], *shown)
    assert {one["status"] for one in person.run("ps", "--json").json["agents"]} == {"running"}


def test_a_wrong_option_is_told_in_one_line(person: Person, shop: Path) -> None:
    person.spawn(shop, ["sleep", "600"], "--name", "a")
    for words in (
        ["nonsense"],
        ["spawn", shop, "--size", "0x0", "--", "true"],
        ["spawn", shop, "--size", "axb", "--", "true"],
        ["spawn", shop, "--grace", "nan", "--", "true"],
        ["spawn", shop, "--env", "NOVALUE", "--", "true"],
        ["spawn", shop, "--env", "=x", "--", "true"],
        ["logs", "a", "--format", "html"],
        ["logs", "a", "--from", "1", "--tail", "1"],
        ["wait", "a", "--timeout", "nan"],
        ["events", "--since", "999999"],
        ["kill"],
        ["send", "a"],
        ["attach", "a"],
        ["ps", "--nonsense"],
    ):
        refused(person, 2, list(words))
    assert len(person.run("ps", "-a", "--json").json["agents"]) == 1
