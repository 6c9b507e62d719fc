from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from descartes_cli.lazy import LazyGroup
from descartes_cli.running import run
from descartes_cli.sessions import VERBS as SESSION_VERBS
from descartes_cli.supervisor import VERBS as SUPERVISOR_VERBS
from descartes_cli.verbs import VERBS, descartes
from descartes_core.errors import AgentNotFound, Refused, SessionNotFound
from tests.support.person import Person
from tests.support.programs import installed

ALL = {**VERBS, **SESSION_VERBS, **SUPERVISOR_VERBS}


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Give a way to let `descartes x` do something."""

    def be(callback: Callable[[], object]) -> None:
        command = click.Command("x", callback=callback)
        monkeypatch.setattr(descartes, "get_command", lambda ctx, name: command)

    return be


@pytest.mark.parametrize("name", [name for name in ALL if name != "demo"])
def test_every_verb_is_where_its_table_says(name: str) -> None:
    group = LazyGroup("x", verbs=ALL)
    command = group.get_command(click.Context(group), name)
    assert command is not None
    assert command.name == name
    assert command.help


def test_help_imports_no_verb() -> None:
    code = (
        "import sys; from descartes_cli.running import run; run(['--help']); sys.stderr.write(repr(set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(name in done.stdout for name in VERBS)
    assert not [name for name in VERBS if f"'descartes_cli.{name}'" in done.stderr]
    assert "descartes_orchestrator" not in done.stderr


def test_who_names_no_session_is_told_how_to_name_one(
    verb: Callable[[Callable[[], object]], None], capfd: pytest.CaptureFixture[str]
) -> None:
    verb(lambda: _raise(SessionNotFound("no session is called 'x'")))
    assert run(["x"]) == 3
    assert "descartes sessions list" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        (lambda: 7, 7),
        (lambda: None, 0),
        (lambda: _raise(AgentNotFound("no agent is called 'x'")), 3),
        (lambda: _raise(Refused()), 5),
        (lambda: _raise(click.UsageError("bad")), 2),
        (lambda: _raise(click.ClickException("bad")), 1),
        (lambda: _raise(KeyboardInterrupt()), 130),
        (lambda: _raise(BrokenPipeError()), 141),
        (lambda: _raise(OSError(28, "No space left on device")), 1),
    ],
)
def test_every_ending_has_its_exit_code(
    verb: Callable[[Callable[[], object]], None],
    ending: Callable[[], object],
    code: int,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with open(os.dup(1), "w") as stdout:  # it is closed for good where a pipe broke
        monkeypatch.setattr(sys, "stdout", stdout)
        verb(ending)
        assert run(["x"]) == code
    assert "Traceback" not in capfd.readouterr().err


def _raise(error: BaseException) -> None:
    raise error


def test_an_error_is_one_line_and_a_log_below_it(
    verb: Callable[[Callable[[], object]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    verb(lambda: _raise(Refused("it did not start\nlog \x1b[31mline 1\nline 2\n")))
    assert run(["x"]) == 5
    assert capsys.readouterr().err == "descartes: it did not start\n  log \\x1b[31mline 1\n  line 2\n"


@pytest.mark.parametrize("words", [["nonsense"], ["ps", "--nonsense"], ["kill"], ["logs", "a", "--tail", "-1"]])
def test_wrong_usage_ends_with_2_and_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 2
    said = capsys.readouterr().err
    assert said.startswith("descartes: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("words", [[], ["sessions"]])
def test_without_a_verb_help_is_shown(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 2
    assert "Commands:" in capsys.readouterr().err


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("descartes ")


def test_it_runs_as_a_module(person: Person) -> None:
    done = subprocess.run([sys.executable, "-m", "descartes_cli", "ps", "--json"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    """`descartes --help | head -0`: quiet, and with the code of a broken pipe."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([installed("descartes"), "--help"], stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_full_disk_is_told() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run([installed("descartes"), "--help"], stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (1, b"descartes: input or output: No space left on device\n")


def test_a_shell_can_complete() -> None:
    env = {**os.environ, "_DESCARTES_COMPLETE": "bash_complete", "COMP_WORDS": "descartes s", "COMP_CWORD": "1"}
    done = subprocess.run([installed("descartes")], env=env, capture_output=True, text=True, check=True)
    offered = {"spawn", "send", "stop", "sessions", "supervisor", "signal", "system"}
    assert {f"plain,{verb}" for verb in offered} <= set(done.stdout.split())


def test_no_home_is_told() -> None:
    env = {name: value for name, value in os.environ.items() if name != "HOME"}
    done = subprocess.run([installed("descartes"), "ps"], env=env, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "descartes: neither HOME nor DESCARTES_HOME is set: set one of them\n"
