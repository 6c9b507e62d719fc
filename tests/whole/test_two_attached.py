"""Two people at one agent: one types, the other sees it and who it is, and the pen is passed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing

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


@pytest.fixture
def terminals(person: Person) -> Iterator[tuple[Tmux, Tmux]]:
    (person.directory / "other").mkdir()
    with closing(Tmux(person)) as first, closing(Tmux(Person(person.directory / "other"))) as second:
        first.begin(80, 24)
        second.begin(100, 30)
        yield first, second


def test_the_pen_and_the_size_go_from_one_to_the_other(person: Person, terminals: tuple[Tmux, Tmux]) -> None:
    ada, bob = terminals
    person.spawn(person.workspace(), ["bash", "--norc"], "--name", "shell", "--env", "PS1=here% ")
    ada.enter("USER=ada descartes attach shell")
    ada.see("[shell: Ctrl-] lets go, the agent goes on]")
    ada.enter("stty size")
    ada.see("24 80")
    bob.enter("USER=bob descartes attach shell")
    bob.see("[shell: ada@pts/")
    bob.see("24 80")
    bob.type("not mine")
    bob.see("Ctrl-T takes the pen]")
    ada.enter("echo one; stty size")
    bob.see("one\n24 80")
    assert "not mine" not in ada.screen()
    bob.press("C-t")
    ada.see("[shell: bob@pts/")
    bob.enter("echo two; stty size")
    ada.see("two\n30 100")
    # Noted once a second: a daemon that is killed before has that much less.
    wait_until(lambda: audited(person)["ada"] == len("stty size.echo one; stty size."), "what ada typed", 20.0)
    kill_daemon(person.home)
    bob.enter("echo three")
    ada.see("\nthree")
    ada.type("x")
    ada.see("Ctrl-T takes the pen]")
    bob.press("C-]")
    bob.see("comes back]")
    ada.see("[shell: nobody types: type, and you do]")
    ada.enter("echo four; stty size")
    ada.see("four\n24 80")
    ada.enter("exit")
    ada.see("[shell has ended: code 0]")
    who_typed(person)


def audited(person: Person) -> Counter[str]:
    """Return how much each has typed."""
    typed = Counter[str]()
    for one in person.run("audit", "shell", "--json").json["inputs"]:
        typed[one["client"].partition("@")[0]] += one["length"]
    return typed


def who_typed(person: Person) -> None:
    """See that both are in the audit, with no word of what they typed."""
    ada, bob = len("stty size.echo one; stty size.echo four; stty size.exit."), len("echo two; stty size.echo three.")
    wait_until(lambda: audited(person)["ada"] == ada, "all that ada typed", 20.0)
    typed = audited(person)
    assert len("echo two; stty size") <= typed["bob"] <= bob
    assert person.run("audit", "shell", "--json").json["bytes"] == typed.total()
    table = person.run("audit", "shell").stdout
    assert "ada@pts/" in table
    assert "in all" in table
    assert "echo" not in table
    events = person.run("events", "--since", "0", "--json", "-s", "shop").stdout
    assert events.count('"attach_connected"') >= 2


def test_one_only_watches_and_one_takes_it_from_the_start(person: Person, terminals: tuple[Tmux, Tmux]) -> None:
    ada, bob = terminals
    person.spawn(person.workspace(), ["bash", "--norc"], "--name", "shell", "--env", "PS1=here% ")
    ada.enter("descartes attach --read-only shell")
    ada.see("[shell: you only watch; Ctrl-] lets go]")
    ada.type("x")
    bob.enter("USER=bob descartes attach --take shell")
    bob.see("lets go, the agent goes on]")
    bob.enter("echo seen")
    ada.see("\nseen")
    ada.see("[shell: bob@pts/")
    assert "x" not in bob.screen().partition("here%")[2].partition("echo")[0]
    ada.press("C-]")
    ada.see("comes back]")
    assert person.run("attach", "--take", "--read-only", "shell", check=False).code == 2
