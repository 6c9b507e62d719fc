"""`descartes screen` shows what a terminal shows that the same program is attached to: vim, htop, a Python REPL."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from descartes_daemon.emulator import load
from tests.support.person import Person
from tests.support.serving import kill_daemon, said
from tests.support.tmux import IS_THERE, Tmux
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.supervisor("shared"),
    pytest.mark.timeout(150),
    pytest.mark.skipif(not IS_THERE, reason="tmux is not installed"),
    pytest.mark.skipif(load() is None, reason="pyghostty has no wheel here"),
]


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


def text_of(screen: str) -> str:
    return "\n".join(line.rstrip() for line in screen.splitlines()).rstrip("\n")


def shown(person: Person, name: str, *options: object) -> str:
    return text_of(person.run("screen", name, *options).stdout)


def agree(person: Person, name: str, terminal: Tmux, marks: str) -> str:
    """Wait until both show this, and the same."""
    terminal.see(marks)
    wait_until(lambda: shown(person, name) == text_of(terminal.screen()), "the same on both", 20.0)
    seen = shown(person, name)
    assert marks in seen
    return seen


def let_go(terminal: Tmux) -> None:
    terminal.press("C-]")
    terminal.see("comes back]")


@needs("vim")
def test_vim_is_shown_as_it_is_now_and_as_it_was(person: Person, terminal: Tmux, shop: Path) -> None:
    (shop / "notes.txt").write_text("".join(f"line {number} \t größe 漢字\n" for number in range(200)))
    terminal.enter("descartes spawn projects/shop --name editor --attach -- vim -u NONE -N notes.txt")
    first = agree(person, "editor", terminal, "line 20")
    offset = person.run("screen", "editor", "--json").json["offset"]
    terminal.type("100Gzt")
    terminal.type("ihello from vim ")
    terminal.press("Escape")
    agree(person, "editor", terminal, "hello from vim line 99")
    let_go(terminal)
    detached = shown(person, "editor")
    assert "hello from vim line 99" in detached
    kill_daemon(person.home)
    assert shown(person, "editor") == detached
    assert shown(person, "editor", "--offset", offset) == first
    terminal.clear()
    terminal.enter("descartes attach editor; echo code=$?")
    agree(person, "editor", terminal, "hello from vim line 99")
    terminal.enter(":split")
    agree(person, "editor", terminal, "notes.txt [+]")
    told = person.run("screen", "editor", "--json").json
    assert (told["alternate"], told["source"], told["rows"], told["cols"]) == (True, "emulator", 24, 80)
    terminal.enter(":qa!")
    terminal.see("code=0")


@needs("vim")
def test_a_window_of_another_size_shows_the_same(person: Person, terminal: Tmux, shop: Path) -> None:
    (shop / "notes.txt").write_text("".join(f"line {number}\n" for number in range(200)))
    terminal.enter("descartes spawn projects/shop --name editor --attach -- vim -u NONE -N notes.txt")
    agree(person, "editor", terminal, "line 20")
    terminal.resize(100, 30)
    wait_until(lambda: person.run("screen", "editor", "--json").json["cols"] == 100, "the new size")
    agree(person, "editor", terminal, "line 27")
    terminal.enter(":q")


@needs("htop")
def test_htop_is_shown_with_its_colours_left_out(person: Person, terminal: Tmux, shop: Path) -> None:
    # Every tenth second is late enough for two looks at the same picture.
    terminal.enter("descartes spawn projects/shop --name top --attach -- htop -d 100")
    seen = agree(person, "top", terminal, "F10Quit")
    assert "CPU" in seen
    terminal.press("F1")
    agree(person, "top", terminal, "htop 3")
    let_go(terminal)
    assert "\x1b[?1049h" in person.run("screen", "top", "--format", "vt").stdout
    person.run("kill", "--force", "top")


def test_a_python_repl_is_shown_also_after_it_has_ended(person: Person, terminal: Tmux, shop: Path) -> None:
    terminal.enter(f"descartes spawn projects/shop --name repl --attach -- {sys.executable} -q -i -c ''")
    terminal.see(">>>")
    terminal.enter("for n in range(30): print('number', n)")
    terminal.press("Enter")
    agree(person, "repl", terminal, "number 29")
    let_go(terminal)
    person.run("send", "repl", "sum(range(10))", "--enter")
    said(person.home, _id(person, "repl"), "45")
    seen = shown(person, "repl")
    assert seen.splitlines()[-3:] == [">>> sum(range(10))", "45", ">>>"]
    person.run("send", "repl", "exit()", "--enter")
    person.run("wait", "repl")
    assert shown(person, "repl").startswith("number")
    assert shown(person, "repl").endswith(">>> exit()")


def test_painting_in_a_terminal_leaves_it_as_it_was(person: Person, terminal: Tmux, shop: Path) -> None:
    person.spawn(shop, ["printf", r"\033[?1049h\033[?1000h\033[?25lpainted\033[5;5Hhere"], "--name", "painter")
    person.run("wait", "painter")
    before, flags = terminal.modes("before"), terminal.flags()
    terminal.enter("descartes screen painter --format vt; echo code=$?")
    seen = terminal.see("code=0")
    assert "painted" in seen
    assert not terminal.is_alternate
    assert (terminal.modes("after"), terminal.flags()) == (before, flags)


def _id(person: Person, name: str) -> str:
    (found,) = [agent for agent in person.run("ps", "-a", "--json").json["agents"] if agent["name"] == name]
    return str(found["id"])
