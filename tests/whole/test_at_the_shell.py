"""What a person sees at a shell: completion, a fleet that is watched, counters, things that last."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from descartes_orchestrator.hub.joining import enroll, make_keys
from tests.support.person import Person
from tests.support.programs import COMMANDS, installed
from tests.support.tmux import IS_THERE, Tmux

pytestmark = [pytest.mark.timeout(120), pytest.mark.supervisor("shared")]
needs_tmux = pytest.mark.skipif(not IS_THERE, reason="tmux is not installed")


@pytest.fixture
def wide_terminal(person: Person) -> Iterator[Tmux]:
    with closing(Tmux(person)) as opened:
        opened.begin(columns=110)
        yield opened


def completed(person: Person, *words: str) -> list[str]:
    """Return what bash would be offered after these words."""
    asked = {"COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1), "_DESCARTES_COMPLETE": "bash_complete"}
    told = subprocess.run(
        [installed("descartes")], env={**os.environ, **asked}, capture_output=True, text=True, check=True
    )
    return sorted(line.partition(",")[2] for line in told.stdout.splitlines() if line)


def test_verbs_agents_and_sessions_are_completed(person: Person, shop: Path) -> None:
    agent = person.spawn(shop, ["sleep", "1000"], "--name", "fixer")
    person.spawn(shop, ["sleep", "1000"], "--name", "finder")
    assert completed(person, "descartes", "doc") == ["doctor"]
    assert completed(person, "descartes", "wait", "fi") == ["finder", "fixer"]
    assert completed(person, "descartes", "kill", "fixer", "find") == ["finder"]
    assert completed(person, "descartes", "stop", agent["id"][:6]) == [agent["id"]]
    assert completed(person, "descartes", "spawn", "-")
    assert not completed(person, "descartes", "wait", "nobody")
    assert completed(person, "descartes", "ps", "-s", "sh") == ["shop"]
    person.run("kill", "--force", "fixer")
    assert completed(person, "descartes", "attach", "fi") == ["finder"]
    assert completed(person, "descartes", "logs", "fi") == ["finder", "fixer"]


@pytest.mark.supervisor("own")
def test_runners_and_their_labels_are_completed(person: Person) -> None:
    person.run("hub", "start", "--endpoint", "tcp://127.0.0.1:*", "--name", "desk")
    enroll(person.run("hub", "enroll", "--name", "big", "--label", "gpu").stdout.strip(), make_keys())
    assert completed(person, "descartes", "spawn", "--on", "") == ["any", "big", "gpu"]
    assert completed(person, "descartes", "runners", "drain", "") == ["big"]
    assert completed(person, "descartes", "hub", "revoke", "") == ["big", "desk"]
    person.home.path.joinpath("bus.json").chmod(0o644)
    told = [one for one in person.run("doctor", "--json").json["remarks"] if one["about"] == "keys"]
    assert [one["do"] for one in told] == [f"chmod 600 {person.home.path / 'bus.json'}"]
    person.run("supervisor", "stop")
    assert completed(person, "descartes", "spawn", "--on", "") == ["any"]


@pytest.mark.parametrize("name", ["$(touch here)", "x; touch here", "two words", "-f", "~", "=ls", "*"])
def test_a_name_that_a_shell_would_not_take_as_it_stands_is_completed_as_an_id(
    person: Person, shop: Path, name: str
) -> None:
    agent = person.spawn(shop, ["sleep", "1000"], "--name", name)
    person.run("sessions", "rename", shop, "--", name)
    assert completed(person, "descartes", "kill", "") == [agent["id"]]
    assert completed(person, "descartes", "sessions", "stop", "") == [agent["session_id"]]


@pytest.mark.parametrize("verb", ["attach", "logs", "sessions show", "config show"])
def test_who_completes_is_told_of_no_error(verb: str) -> None:
    place = str(len(verb.split()) + 1)
    asked = {"COMP_WORDS": f"descartes {verb} ", "COMP_CWORD": place, "_DESCARTES_COMPLETE": "bash_complete"}
    homeless = {name: value for name, value in os.environ.items() if name not in ("HOME", "DESCARTES_HOME")}
    told = subprocess.run([installed("descartes")], env={**homeless, **asked}, capture_output=True, check=False)
    assert (told.stdout.strip(), told.stderr) == (b"", b"")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_takes_the_script(person: Person, shell: str) -> None:
    script = person.run("completion", shell).stdout
    assert "_DESCARTES_COMPLETE" in script
    if (program := shutil.which(shell)) is not None:
        path = person.directory / "script"
        path.write_text(script)
        check = [program, "--no-execute" if shell == "fish" else "-n", str(path)]
        assert subprocess.run(check, capture_output=True, check=False).returncode == 0


def test_bash_itself_completes(person: Person, shop: Path) -> None:
    person.spawn(shop, ["sleep", "1000"], "--name", "fixer")
    script = person.run("completion", "bash").stdout
    asked = "COMP_WORDS=(descartes wait fi) COMP_CWORD=2; _descartes_completion descartes; echo ${COMPREPLY[@]}"
    environment = {**os.environ, "PATH": f"{COMMANDS}:{os.environ['PATH']}"}
    told = subprocess.run(
        ["bash", "-c", f"{script}\n{asked}"], env=environment, capture_output=True, text=True, check=False
    )
    assert told.stdout.strip() == "fixer", told.stderr


@needs_tmux
def test_the_fleet_is_drawn_anew_when_something_happens(person: Person, shop: Path, wide_terminal: Tmux) -> None:
    person.spawn(shop, ["sleep", "1000"], "--name", "fixer")
    wide_terminal.enter("descartes ps --watch")
    wide_terminal.see("Ctrl-C leaves")
    wide_terminal.see("fixer")
    person.spawn(shop, ["sleep", "1000"], "--name", "finder")
    wide_terminal.see("finder")
    person.run("pause", "finder")
    wide_terminal.see("paused")
    wide_terminal.press("C-c")
    wide_terminal.see("$ descartes ps --watch")
    wide_terminal.enter("echo back")
    wide_terminal.see("\nback")


def test_only_a_terminal_is_drawn_on(person: Person) -> None:
    refused = person.run("ps", "--watch", check=False)
    assert (refused.code, "events -f --json" in refused.stderr) == (2, True)
    assert person.run("ps", "--watch", "--json", check=False).code == 2


@needs_tmux
def test_what_lasts_is_said_to(person: Person, shop: Path, wide_terminal: Tmux) -> None:
    person.spawn(shop, ["sh", "-c", "trap '' HUP TERM; while :; do read x; done"], "--name", "deaf", "--grace", "4")
    wide_terminal.enter("descartes stop deaf")
    wide_terminal.see("waiting for deaf …")
    screen = wide_terminal.see("deaf  terminated")
    assert "waiting" not in screen


def test_counters_move(person: Person, shop: Path) -> None:
    agent = person.spawn(shop, ["sh", "-c", "echo hello; exec sleep 1000"])
    (before,) = person.run("system", "stats", "--json").json
    assert (before["session"], before["agents"]) == ("shop", {"running": 1})
    person.run("send", agent["id"], "x")
    (after,) = person.run("system", "stats", "-s", "shop", "--json").json
    assert after["requests"] > before["requests"]
    assert "requests" in person.run("system", "stats").stdout


def test_a_signal_reaches_the_program(person: Person, shop: Path) -> None:
    code = "trap 'echo caught; exit 5' USR1; echo ready; while :; do read x; done"
    agent = person.spawn(shop, ["sh", "-c", code], "--name", "fixer")
    follow = person.start("logs", "-f", agent["id"], stdout=subprocess.PIPE)
    assert follow.stdout is not None
    assert follow.stdout.readline() == b"ready\n"
    assert person.run("signal", "fixer", "usr1").stdout == "fixer  running\n"
    assert person.run("wait", agent["id"], check=False).code == 5
    assert follow.communicate(timeout=20)[0] == b"caught\n"
    assert person.run("signal", "fixer", "USR1", check=False).code == 5
    assert person.run("signal", "fixer", "NOSUCH", check=False).code in (2, 5)
