"""A program begins with its caller's surroundings, and three marks."""

from __future__ import annotations

import os
from typing import Any

import pytest

from descartes_core.errors import InvalidParams
from descartes_core.messages.agents import Spawn
from descartes_daemon.surroundings import (
    DENIED,
    Marks,
    command,
    environment,
    signal_named,
    stop_signal,
    working_directory,
)

MARKS = Marks("an-agent", "a-session", "/a/socket")


def env_of(**request: Any) -> dict[str, str]:
    return environment(Spawn(**request), MARKS)


def test_the_marks_are_always_there_and_ours() -> None:
    given = {"DESCARTES_AGENT_ID": "another", "DESCARTES_SOCKET": "/elsewhere"}
    for found in (env_of(env=given), env_of(env={}, extra_env=given), env_of()):
        assert {name: value for name, value in found.items() if name.startswith("DESCARTES_")} == MARKS.as_env()


def test_the_daemons_own_environment_reaches_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_DAEMON", "x")
    assert "SECRET_OF_THE_DAEMON" not in env_of() | env_of(env={})
    assert {"HOME", "PATH", "USER", "SHELL", "LANG"} <= set(env_of())


def test_contracts_of_other_processes_are_left_out() -> None:
    found = env_of(env=dict.fromkeys(DENIED, "x") | {"KEPT": "y"})
    assert set(found) & DENIED == set()
    assert found["KEPT"] == "y"


def test_additions_win() -> None:
    assert env_of(env={"A": "1", "B": "2"}, extra_env={"A": "3"}).items() >= {"A": "3", "B": "2"}.items()


@pytest.mark.parametrize(
    ("given", "found"), [("dumb", "xterm-256color"), ("screen", "screen"), (None, "xterm-256color")]
)
def test_a_terminal_is_no_dumb_one(given: str | None, found: str) -> None:
    assert env_of(env={} if given is None else {"TERM": given})["TERM"] == found


@pytest.mark.parametrize("name", ["", "A=B"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidParams):
        env_of(env={name: "x"})


def test_without_a_command_the_configured_one_runs_else_the_callers_shell() -> None:
    assert command(Spawn(command=["a", "b"]), ["c"], {}) == ["a", "b"]
    assert command(Spawn(), ["c"], {"SHELL": "/bin/zsh"}) == ["c"]
    assert command(Spawn(), [], {"SHELL": "/bin/zsh"}) == ["/bin/zsh"]
    assert command(Spawn(), [], {}) == ["/bin/sh"]
    with pytest.raises(InvalidParams):
        command(Spawn(command=["", "b"]), [], {})


def test_a_relative_directory_is_meant_from_the_workspace() -> None:
    assert working_directory(Spawn(), "/shop") == "/shop"
    assert working_directory(Spawn(cwd="src"), "/shop") == "/shop/src"
    assert working_directory(Spawn(cwd="/usr"), "/shop") == "/usr"


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["bash"], "SIGHUP"),
        (["/usr/bin/fish", "-l"], "SIGHUP"),
        (["-zsh"], "SIGHUP"),
        (["python3"], "SIGTERM"),
        (["claude"], "SIGTERM"),
    ],
)
def test_shells_are_asked_by_hup(words: list[str], name: str) -> None:
    assert stop_signal(Spawn(), words) == name
    assert stop_signal(Spawn(stop_signal="int"), words) == "SIGINT"


@pytest.mark.parametrize("text", ["TERM", "SIGTERM", "term", "15"])
def test_a_signal_has_many_names(text: str) -> None:
    assert signal_named(text).name == "SIGTERM"


@pytest.mark.parametrize("text", ["", "SIG", "0", "999", "-9", "NOPE", "SIG_DFL"])
def test_what_is_no_signal_is_refused(text: str) -> None:
    with pytest.raises(InvalidParams):
        signal_named(text)


def test_what_is_denied_is_no_variable_of_this_very_test() -> None:
    assert not DENIED & {name for name in os.environ if name.startswith("PYTEST")}
