"""TERM to the supervisor: it goes, the next one gets all from the daemons; and TERM to everybody, as at a shutdown."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable

import pytest

from descartes_local.processes import is_alive, process_of, send_signal
from descartes_local.run_file import read_run_files
from descartes_local.supervisor_client import ensure
from tests.support.keepers import next_supervisor, supervisor_pid
from tests.support.person import Person
from tests.support.programs import agent
from tests.support.serving import kill_daemon, only_run, said
from tests.support.storm import ask
from tests.support.waiting import process_gone, wait_until


def begun(person: Person) -> int:
    return (person.home.log / "supervisor.log").read_text().count(" begins: ")


def everybody(person: Person, agents: Iterable[int]) -> list[int]:
    """Return who a machine that is shut down would ask to end, in the order in which they came."""
    with ensure(person.home) as supervisor:
        status = supervisor.call("status")
    daemons = sorted(run.pid for run in read_run_files(person.home))
    return [status["pid"], status["fork_server"]["pid"], *daemons, *agents]


def test_one_that_is_asked_to_end_is_followed_by_the_next_and_nothing_is_lost(person: Person) -> None:
    shop = person.workspace("shop")
    one = person.spawn(shop, agent("echoer"))
    said(person.home, one["id"], "ready")
    before, asked = only_run(person.home), supervisor_pid(person.home)
    os.kill(asked, signal.SIGTERM)
    process_gone(asked)
    assert next_supervisor(person.home, asked) != asked
    assert only_run(person.home).pid == before.pid
    kill_daemon(person.home)
    person.run("send", "--enter", one["id"], "exit 3")
    ended = person.run("wait", one["id"], check=False)
    assert ended.code == 3, str(ended)


def test_a_command_right_after_it_is_served(person: Person) -> None:
    """Whoever comes while it goes waits for the next one, and nobody is refused."""
    shop, other = person.workspace("shop"), person.workspace("other")
    person.spawn(shop, agent("echoer"))
    asked = supervisor_pid(person.home)
    os.kill(asked, signal.SIGTERM)
    person.run("sessions", "start", other)
    person.run("spawn", shop, "--", *agent("echoer"))
    process_gone(asked)
    next_supervisor(person.home, asked)
    with ensure(person.home) as supervisor:
        wait_until(lambda: supervisor.call("status")["kept"] == 2, "both agents are kept")


def test_where_everybody_is_asked_at_once_all_end_and_daemons_tell_how(person: Person) -> None:
    agents = [person.spawn(person.workspace(name), agent("echoer")) for name in ("shop", "other")]
    for one in agents:
        run = next(run for run in read_run_files(person.home) if run.session_id == one["session_id"])
        ask(run.socket, "agent.output", {"agent_id": one["id"], "offset": 0, "wait": 5.0})
    asked = everybody(person, [one["pid"] for one in agents])
    for pid in asked:
        os.kill(pid, signal.SIGTERM)
    for pid in asked:
        process_gone(pid)
    assert begun(person) == 1, "nobody starts another one while all is ended"
    assert read_run_files(person.home) == []
    told = {one["id"]: one for one in person.run("ps", "-a", "--json").json["agents"]}
    assert [(told[one["id"]]["status"], told[one["id"]]["signal"]) for one in agents] == [("failed", "SIGTERM")] * 2
    assert {one["status"] for one in person.run("sessions", "list", "--json").json["sessions"]} == {"Inactive"}


@pytest.mark.soak  # a daemon waits five seconds for the ends of its agents
def test_who_does_not_end_keeps_the_supervisor_and_is_the_next_daemons(person: Person) -> None:
    shop = person.workspace("shop")
    deaf = person.spawn(shop, agent("deaf"))
    said(person.home, deaf["id"], "ready ")
    process = process_of(deaf["pid"])
    assert process is not None
    asked = everybody(person, [])
    for pid in asked:
        os.kill(pid, signal.SIGTERM)
    for pid in asked[1:]:
        process_gone(pid)
    with ensure(person.home) as supervisor:
        assert wait_until(lambda: supervisor.call("status"), "it answers")["pid"] == asked[0]
        assert "shop" in wait_until(lambda: supervisor.call("status")["stays"], "it says why it stays")
    assert is_alive(process)
    person.run("sessions", "start", shop)
    process_gone(asked[0])
    next_supervisor(person.home, asked[0])
    send_signal(process, signal.SIGKILL)
    waited = person.run("wait", deaf["id"], check=False)
    assert waited.code == 128 + signal.SIGKILL, str(waited)
