"""Ending an agent ends everything it started; who shed every mark is shown, and ends with its session."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import pytest

from descartes_local.processes import Process, command_of, every_stat, is_alive, send_signal
from descartes_local.run_file import read_run_files
from descartes_local.tree import find_tree
from tests.support.cgroups import needs_cgroups, without_groups
from tests.support.leftovers import doors_of, processes_of
from tests.support.person import Person
from tests.support.programs import agent, installed
from tests.support.serving import family, kill_daemon, only_run, said
from tests.support.waiting import wait_until

pytestmark = pytest.mark.supervisor("shared")

KINDS = {"child", "setsid", "double", "ready"}


def living(processes: Iterable[Process]) -> set[Process]:
    return {process for process in processes if is_alive(process)}


def called(command: str) -> set[Process]:
    """Return who runs with exactly this command line."""
    return {stat.process for stat in every_stat() if command_of(stat.process.pid) == command}


@pytest.mark.parametrize("is_killed", [False, True], ids=["", "after-kill-nine"])
@pytest.mark.parametrize("flags", [["--deaf"], ["--deaf", "--closed"]], ids=" ".join)
def test_killing_by_force_leaves_nothing(person: Person, shop: Path, flags: list[str], is_killed: bool) -> None:
    person.spawn(shop, agent("forker", *flags), "--name", "tree")
    tree = family(person.home, "tree")
    assert tree.keys() == KINDS
    if is_killed:
        kill_daemon(person.home)
        assert living(tree.values()) == {*tree.values()}
    person.run("kill", "--force", "tree")
    assert living(tree.values()) == set()


def test_asking_a_deaf_tree_kills_it_after_the_grace(person: Person, shop: Path) -> None:
    person.spawn(shop, agent("forker", "--deaf", "--closed"), "--name", "tree", "--grace", "0.2")
    tree = family(person.home, "tree")
    assert person.run("stop", "tree").stdout == "tree  terminated\n"
    assert living(tree.values()) == set()


@pytest.mark.parametrize("is_killed", [False, True], ids=["", "after-kill-nine"])
def test_who_shed_every_mark_is_shown_and_ends_with_the_session(person: Person, shop: Path, is_killed: bool) -> None:
    """Forked twice, a session of its own, an empty environment: nothing says whose it is but its parent, the daemon."""
    without_groups(person.home)
    person.spawn(shop, agent("forker", "--deaf", "--cleared", "--closed"), "--name", "tree")
    tree = family(person.home, "tree")
    if is_killed:
        kill_daemon(person.home)
    person.run("kill", "--force", "tree")
    assert living(tree.values()) == {tree["double"]}
    (shown,) = person.run("ps", "--json").json["unattributed"]
    assert shown["pid"] == tree["double"].pid
    assert "forker.py" in shown["command"]
    assert f"unattributed in shop: process {tree['double'].pid}" in person.run("ps").stdout
    person.run("sessions", "stop", "--force", shop)
    assert living(tree.values()) == set()


def test_who_sheds_every_mark_after_the_daemons_death_is_shown_too(person: Person, shop: Path) -> None:
    """An adopted agent is the supervisor's child, and so becomes what it forks away later."""
    without_groups(person.home)
    person.spawn(shop, ["sh"], "--name", "shell")
    kill_daemon(person.home)
    person.run("send", "shell", "env -i setsid -f sleep 600 </dev/null >/dev/null 2>&1; echo do''ne", "--enter")
    said(person.home, "shell", "done")
    (shown,) = wait_until(lambda: person.run("ps", "--json").json["unattributed"], "the one who shed every mark")
    assert shown["command"] == "sleep 600"
    person.run("sessions", "stop", "--force", shop)
    assert not Path(f"/proc/{shown['pid']}").exists()


@needs_cgroups
@pytest.mark.parametrize("is_killed", [False, True], ids=["", "after-kill-nine"])
def test_who_shed_every_mark_ends_with_its_agent_by_the_control_group(
    person: Person, shop: Path, is_killed: bool
) -> None:
    person.spawn(shop, agent("forker", "--deaf", "--cleared", "--closed"), "--name", "tree")
    tree = family(person.home, "tree")
    if is_killed:
        kill_daemon(person.home)
    assert person.run("ps", "--json").json["unattributed"] == []
    person.run("kill", "--force", "tree")
    assert living(tree.values()) == set()


@pytest.mark.supervisor("own")
@needs_cgroups
def test_a_supervisor_that_an_agent_has_started_is_not_its_own(person: Person, shop: Path) -> None:
    """It was in the agent's tree by its control group, and would have ended with it; then with the session."""
    other, mill = person.directory / "other", person.workspace("mill")
    words = f"DESCARTES_HOME={other} {installed('descartes')} sessions start {mill}; echo started; sleep 600"
    person.spawn(shop, ["sh", "-c", words], "--name", "starter")
    said(person.home, "starter", "started")
    assert person.run("ps", "--json").json["unattributed"] == []
    person.run("kill", "--force", "starter")
    person.run("sessions", "stop", "--force", shop)
    theirs = {"DESCARTES_HOME": str(other)}
    (session,) = [one for one in person.run("ps", "--json", env=theirs).json["sessions"] if one["name"] == "mill"]
    assert session["status"] == "Active"
    person.run("supervisor", "stop", env=theirs)


@needs_cgroups
def test_of_several_sessions_each_keeps_what_its_adopted_agents_shed(person: Person, shop: Path) -> None:
    """All of them are the supervisor's children, and nothing but the control group says whose one is."""
    shed = {}
    for place in (shop, person.workspace("mall")):
        name = f"of-{place.name}"
        person.spawn(place, ["sh"], "--name", name)
        os.kill(next(run.pid for run in read_run_files(person.home) if run.name == place.name), signal.SIGKILL)
        sleeper = f"sleep {600 + len(shed)}.{os.getpid()}"
        person.run("send", name, f"env -i setsid -f {sleeper} </dev/null >/dev/null 2>&1", "--enter")
        (shed[place.name],) = wait_until(partial(called, sleeper), "one has been shed")
    shown = person.run("ps", "--json", "--wide").json
    assert shown["unattributed"] == []
    assert {agent["name"]: agent["usage"]["processes"] for agent in shown["agents"]} == {"of-shop": 2, "of-mall": 2}
    person.run("kill", "--force", "of-shop")
    assert living(shed.values()) == {shed["mall"]}
    person.run("sessions", "stop", "mall", "--force")
    assert living(shed.values()) == set()


@pytest.mark.supervisor("own")
@pytest.mark.parametrize("is_killed", [False, True], ids=["", "after-kill-nine"])
def test_stopping_by_force_leaves_no_process_no_socket_no_run_file(person: Person, shop: Path, is_killed: bool) -> None:
    person.spawn(shop, agent("forker", "--deaf", "--closed"), "--name", "tree", "--grace", "0.2")
    person.spawn(shop, agent("forker", "--deaf", "--cleared", "--closed"), "--name", "cleared", "--grace", "0.2")
    trees = [*family(person.home, "tree").values(), *family(person.home, "cleared").values()]
    if is_killed:
        kill_daemon(person.home)
    person.run("sessions", "stop", "--force", shop)
    assert living(trees) == set()
    assert json.loads((shop / ".scud/session.json").read_text())["status"] == "Inactive"
    wait_until(lambda: not processes_of(person.directory), "the supervisor ends after its linger")
    assert doors_of(person.home) == []


def test_an_agent_that_ends_by_itself_ends_its_rest(person: Person, shop: Path) -> None:
    person.spawn(shop, agent("forker", "--deaf", "--closed", "--code", 6), "--name", "tree", "--grace", "0.3")
    assert person.run("wait", "tree", check=False).code == 6
    session = only_run(person.home).session_id
    wait_until(lambda: not find_tree((), ("DESCARTES_SESSION_ID", session)), "nothing is left of its tree")


def test_who_is_told_to_leave_its_rest_leaves_it(person: Person, shop: Path) -> None:
    made = person.spawn(shop, agent("forker", "--deaf", "--closed", "--code", 6), "--leave", "--grace", "0")
    assert person.run("wait", made["id"], check=False).code == 6
    rest = find_tree((), ("DESCARTES_AGENT_ID", made["id"]))
    assert len(rest) == 3
    # Whose it is can still be seen, so it is nobody's to show as unattributed.
    assert person.run("ps", "--json").json["unattributed"] == []
    kill_daemon(person.home)
    assert living(rest) == rest
    assert person.run("ps", "--json").json["unattributed"] == []
    for process in rest:
        send_signal(process, signal.SIGKILL)
