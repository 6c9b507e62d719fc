"""vim, and bash with job control, through `attach` in a real terminal."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.person import Person
from tests.support.serving import kill_daemon
from tests.support.tmux import IS_THERE, Tmux
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.supervisor("shared"),
    pytest.mark.timeout(150),
    pytest.mark.skipif(not IS_THERE, reason="tmux is not installed"),
]
needs_vim = pytest.mark.skipif(shutil.which("vim") is None, reason="vim is not installed")

DETACH = "C-]"


def let_go(terminal: Tmux) -> None:
    terminal.press(DETACH)
    terminal.see("comes back]")


def prompted(terminal: Tmux) -> None:
    """Wait until the agent's screen, and nothing else, is shown."""
    wait_until(lambda: terminal.screen().startswith("here%"), "the agent's prompt on a screen of its own", 20)


@needs_vim
def test_vim_is_let_go_of_and_come_back_to(terminal: Tmux, shop: Path) -> None:
    before, flags = terminal.modes("before"), terminal.flags()
    terminal.enter("descartes spawn projects/shop --name editor --attach -- vim -u NONE -N notes.txt")
    terminal.see("~\n~\n~")
    assert terminal.is_alternate
    terminal.type("ihello from vim")
    terminal.press("Escape")
    terminal.see("hello from vim")
    let_go(terminal)
    assert not terminal.is_alternate
    terminal.clear()
    assert (terminal.modes("let-go"), terminal.flags()) == (before, flags)
    terminal.enter("descartes attach editor; echo code=$?")
    terminal.see("hello from vim")
    terminal.see("~\n~\n~")
    terminal.enter(":wq")
    assert "[editor has ended: code 0]" in terminal.see("code=0")
    assert not terminal.is_alternate
    assert (terminal.modes("ended"), terminal.flags()) == (before, flags)
    assert (shop / "notes.txt").read_text() == "hello from vim\n"


@needs_vim
def test_vim_follows_the_window_and_outlives_the_daemon(person: Person, terminal: Tmux, shop: Path) -> None:
    terminal.enter("descartes spawn projects/shop --name editor --attach -- vim -u NONE -N notes.txt")
    terminal.see("~\n~\n~")
    terminal.resize(100, 30)
    wait_until(lambda: terminal.screen().count("\n~") == 28, "vim fills the larger window", 20)
    terminal.type("ibefore ")
    terminal.see("before")
    kill_daemon(person.home)
    terminal.type("and after")
    terminal.see("before and after")
    terminal.press("Escape")
    terminal.resize(90, 20)
    wait_until(lambda: terminal.screen().count("\n~") == 18, "vim fills the smaller window", 20)
    terminal.enter(":wq")
    terminal.see("[editor has ended: code 0]")
    assert (shop / "notes.txt").read_text() == "before and after\n"


def test_a_shell_controls_its_jobs_and_gives_its_exit_code(person: Person, terminal: Tmux) -> None:
    before = terminal.modes("before")
    person.run("spawn", "projects/shop", "--name", "shell", "--env", "PS1=here% ", "--", "bash", "--norc")
    terminal.enter("descartes attach shell; echo code=$?")
    prompted(terminal)
    terminal.enter("sleep 600")
    terminal.see("here% sleep 600\n")
    terminal.press("C-z")
    terminal.see("Stopped")
    terminal.enter("jobs -l; fg")
    terminal.see("jobs -l; fg\n")
    kill_daemon(person.home)
    terminal.press("C-c")
    terminal.enter("echo go''ing on")
    terminal.see("going on")
    let_go(terminal)
    terminal.clear()
    assert terminal.modes("let-go") == before
    terminal.enter("descartes attach shell; echo code=$?")
    prompted(terminal)
    # Just after attaching its size is another one for a moment, so that programs paint anew.
    terminal.enter(f'until test "$(stty size)" = "{terminal.size}"; do :; done; exit 5')
    assert "[shell has ended: code 5]" in terminal.see("code=5")
    assert terminal.modes("ended") == before


def test_a_signal_that_ends_the_agent_is_told_as_a_shell_does(person: Person, terminal: Tmux) -> None:
    made = person.spawn(person.directory / "projects/shop", ["sleep", "600"], "--name", "sleeper")
    terminal.enter("descartes attach sleeper; echo code=$?")
    terminal.see("lets go")
    person.run("kill", "--force", made["id"])
    assert "[sleeper has ended: SIGKILL]" in terminal.see("code=137")


def test_a_terminal_that_is_closed_harms_no_agent(person: Person, terminal: Tmux) -> None:
    """The window is closed while attached: HUP ends the command, and the agent goes on."""
    terminal.enter("descartes spawn projects/shop --name shell --env 'PS1=here% ' --attach -- bash --norc")
    prompted(terminal)
    terminal.close()
    (found,) = person.run("ps", "--json").json["agents"]
    assert found["status"] == "running"
    person.run("send", "shell", "exit 3", "--enter")
    assert person.run("wait", "shell", check=False).code == 3
