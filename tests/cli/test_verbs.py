"""Every verb against a real daemon, as its user sees it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from descartes_local.rpc_client import call
from descartes_local.run_file import read_run_files
from tests.support.person import Person, Ran
from tests.support.programs import installed
from tests.support.waiting import process_gone, wait_until

pytestmark = pytest.mark.supervisor("shared")

AGENT_KEYS = [
    "id",
    "name",
    "status",
    "session_id",
    "host",
    "pid",
    "command",
    "cwd",
    "started_at",
    "ended_at",
    "exit_code",
    "signal",
    "output_bytes",
    "tty",
    "notice",
    "limits",
    "limited_by",
    "ended_by",
    "owner",
    "task",
]
SESSION_KEYS = ["id", "name", "path", "status", "pid", "http_endpoint", "ws_endpoint", "started_at", "agents"]


def test_an_agent_is_spawned_listed_and_waited_for(person: Person, shop: Path) -> None:
    agent = person.spawn(shop, ["sh", "-c", "read x; exit 3"], "--name", "fixer")
    listed = person.run("ps", "--json").json
    assert list(listed) == ["sessions", "agents", "unattributed"]
    assert list(listed["agents"][0]) == AGENT_KEYS
    assert list(listed["sessions"][0]) == SESSION_KEYS
    assert (listed["sessions"][0]["name"], listed["sessions"][0]["agents"]) == ("shop", 1)
    assert listed["agents"][0]["id"] == agent["id"]
    person.run("send", "fixer", "", "--enter")
    assert person.run("wait", agent["id"][:4], check=False).code == 3
    ended = person.run("ps", "-a", "--json").json["agents"][0]
    assert (ended["status"], ended["exit_code"]) == ("failed", 3)


def test_the_agent_has_its_callers_surroundings(person: Person, shop: Path) -> None:
    code = "umask; pwd; echo $MINE $ADDED ${DESCARTES_PROBE-none}; stty size"
    command = [installed("descartes"), "spawn", str(shop), "--wait", "--env", "ADDED=2", "--size", "100x40", "--"]
    subprocess.run(
        [*command, "sh", "-c", code], env={**os.environ, "MINE": "1"}, check=True, capture_output=True, umask=0o027
    )
    agent = person.run("ps", "-a", "--json").json["agents"][0]
    assert person.run("logs", agent["id"]).stdout == f"0027\n{shop}\n1 2 none\n40 100\n"


def test_without_a_workspace_it_is_the_one_around(person: Person, shop: Path) -> None:
    inside = shop / "src"
    inside.mkdir()
    spawned = person.run("spawn", "--json", "--wait", "--", "pwd", cwd=inside)
    assert person.run("logs", spawned.json["id"]).stdout == f"{inside}\n"


def test_else_the_active_one(person: Person, shop: Path) -> None:
    assert person.run("spawn", "--", "true", check=False).code == 3
    person.run("sessions", "use", shop)
    spawned = person.run("spawn", "--json", "--wait", "--", "pwd")
    assert person.run("logs", spawned.json["id"]).stdout == f"{person.directory}\n"


def test_without_a_command_it_is_the_shell(person: Person, shop: Path) -> None:
    spawned = person.run("spawn", shop, "--json", env={"SHELL": "/bin/sh"})
    assert spawned.json["command"] == ["/bin/sh"]


def test_options_behind_the_dashes_are_the_commands(person: Person, shop: Path) -> None:
    agent = person.spawn(shop, ["echo", "--json", "--", "-x"])
    person.run("wait", agent["id"])
    assert person.run("logs", agent["id"]).stdout == "--json -- -x\n"


def test_a_command_without_dashes_is_explained(person: Person, shop: Path) -> None:
    ran = person.run("spawn", shop, "ls", check=False)
    assert ran.code == 2
    assert f"descartes spawn {shop} -- ls" in ran.stderr


def test_a_command_that_is_not_there_says_so(person: Person, shop: Path) -> None:
    ran = person.run("spawn", shop, "--", "/no/such/program", check=False)
    assert (ran.code, ran.stdout) == (4, "")
    assert "/no/such/program" in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_logs_are_text_or_the_very_bytes(person: Person, shop: Path) -> None:
    agent = person.spawn(shop, ["printf", r"\033[31mred\033[0m\n10%%\r99%%\n\377end"])
    person.run("wait", agent["id"])
    assert person.run("logs", agent["id"]).stdout == "red\n99%\n\ufffdend"
    raw = subprocess.run([installed("descartes"), "logs", "--format", "raw", agent["id"]], capture_output=True).stdout
    assert raw == b"\x1b[31mred\x1b[0m\r\n10%\r99%\r\n\xffend"
    assert person.run("logs", agent["id"], "--tail", "1").stdout == "\ufffdend"


def test_logs_follow_to_the_end(person: Person, shop: Path) -> None:
    agent = person.spawn(shop, ["sh", "-c", "echo one; read x; echo two"])
    following = person.start("logs", "-f", agent["id"], stdout=subprocess.PIPE)
    with following:
        assert following.stdout is not None
        assert following.stdout.readline() == b"one\n"
        person.run("send", agent["id"], "", "--enter")
        assert following.stdout.read() == b"\ntwo\n"
    assert following.returncode == 0


def test_variables_that_cannot_be_passed_on_are_told(person: Person, shop: Path) -> None:
    ran = person.run("spawn", shop, "--wait", "--", "sh", "-c", "echo [$RAW]", env={"RAW": "\udcff"})
    assert "not passed on: RAW" in ran.stderr
    assert person.run("send", "x", "\udcff", check=False).code in (2, 3)


def test_several_are_changed_at_once_and_the_missing_are_told(person: Person, shop: Path) -> None:
    for name in ("a", "b"):
        person.spawn(shop, ["sleep", "600"], "--name", name)
    assert person.run("pause", "a", "b").stdout == "a  paused\nb  paused\n"
    assert person.run("resume", "a").stdout == "a  running\n"
    assert person.run("resume", "a", check=False).code == 5
    killed = person.run("kill", "a", "nobody", "b", check=False)
    assert (killed.code, killed.stdout) == (3, "a  terminated\nb  terminated\n")
    assert killed.stderr == "descartes: no agent is called 'nobody'; descartes ps -a lists all\n"
    assert person.run("kill", "--force", "a", check=False).code == 5


def test_an_ambiguous_name_lists_the_candidates(person: Person) -> None:
    ids = [person.spawn(person.workspace(name), ["sleep", "600"], "--name", "twin")["id"] for name in ("one", "two")]
    ran = person.run("send", "twin", "x", check=False)
    assert ran.code == 2
    assert all(identity in ran.stderr for identity in ids)
    assert person.run("kill", "--force", "-s", "one", "twin", "--json").json["agents"][0]["id"] == ids[0]


def test_wait_gives_up_in_time(person: Person, shop: Path) -> None:
    person.spawn(shop, ["sleep", "600"], "--name", "slow")
    ran = person.run("wait", "slow", "--timeout", "0.1", check=False)
    assert (ran.code, ran.stderr) == (4, "descartes: slow has not ended within 0.1 s\n")


@pytest.mark.parametrize(("words", "code"), [("kill -9 $$", 137), ("exit 9", 9)])
def test_spawn_waits_for_the_end(person: Person, shop: Path, words: str, code: int) -> None:
    assert person.run("spawn", shop, "--wait", "--", "sh", "-c", words, check=False).code == code


def test_attach_without_a_terminal_is_refused_with_a_hint(person: Person, shop: Path) -> None:
    person.spawn(shop, ["sleep", "600"], "--name", "a")
    ran = person.run("attach", "a", check=False)
    assert ran.code == 2
    assert "descartes logs -f a" in ran.stderr


def test_an_agent_of_an_inactive_session_is_still_found(person: Person, shop: Path) -> None:
    agent = person.spawn(shop, ["echo", "kept"], "--name", "past")
    person.run("wait", "past")
    person.run("sessions", "stop", shop)
    listed = person.run("ps", "-a", "--json").json
    assert listed["sessions"][0]["status"] == "Inactive"
    assert list(listed["agents"][0]) == AGENT_KEYS
    assert listed["agents"][0]["output_bytes"] == len("kept\r\n")
    assert person.run("ps", "--json").json == {"sessions": [], "agents": [], "unattributed": []}
    assert person.run("logs", agent["id"]).stdout == "kept\n"
    assert person.run("ps", "--json").json["sessions"][0]["status"] == "Active"


def test_events_are_told_and_followed(person: Person, shop: Path) -> None:
    agent = person.spawn(shop, ["true"])
    person.run("wait", agent["id"])
    told = person.run("events", "--json").lines
    mine = [event["event_type"] for event in told if event["agent_id"] == agent["id"]]
    assert mine == ["spawned", "started", "completed"]
    later = person.run("events", "--since", told[0]["seq"], "--json").lines
    assert later == told[1:]
    following = person.start("events", "-f", "--json", "--since", told[-1]["seq"], stdout=subprocess.PIPE)
    with following:
        assert following.stdout is not None
        person.spawn(shop, ["sleep", "600"])
        assert json.loads(following.stdout.readline())["event_type"] == "spawned"
        following.terminate()


def test_events_are_chosen_by_agent_category_and_filter(person: Person, shop: Path) -> None:
    one = person.spawn(shop, ["true"], "--name", "one")
    person.spawn(shop, ["true"], "--name", "two")
    person.run("wait", "one", "two", check=False)

    def told(*words: str) -> set[tuple[str, str | None]]:
        lines = person.run("events", "--json", *words).lines
        return {(event["type"], event["agent_id"]) for event in lines}

    assert told("--agent", "one") == {("AgentEvent", one["id"])}
    assert told("--category", "system") == {("SystemEvent", None)}
    both = told("--agent", "one", "--category", "system", "--category", "agent")
    assert both == {("AgentEvent", one["id"]), ("SystemEvent", None)}
    assert told("--filter", json.dumps({"agent_ids": ["nobody"]})) == {("SystemEvent", None)}
    for text in ("{", "[]", '{"more": 1}'):
        assert person.run("events", "--filter", text, check=False).code == 2
    assert person.run("events", "--agent", "nobody", check=False).code == 3


def test_events_that_are_kept_no_more_are_told(person: Person, shop: Path) -> None:
    person.run("sessions", "start", shop)
    (run,) = read_run_files(person.home)
    with contextlib.closing(sqlite3.connect(person.home.session(run.session_id) / "state.db")) as database, database:
        database.execute("INSERT INTO meta VALUES ('events_gone_to', '1')")
        database.execute("DELETE FROM events WHERE seq = 1")
    os.kill(run.pid, signal.SIGKILL)
    process_gone(run.pid)
    ran = person.run("events", "--json")
    assert ran.stderr == "descartes: shop: events 1 to 1 are kept no more\n"
    assert [event["seq"] for event in ran.lines] == [2]


def test_events_of_others_are_told_where_one_daemon_is_gone(person: Person, shop: Path) -> None:
    """A run file that outlived its daemon and the supervisor once hid the events of all sessions."""
    person.run("sessions", "start", shop)
    (run,) = read_run_files(person.home)
    gone = "00000000-0000-4000-8000-000000000000"
    told = json.loads(person.home.run_file(run.session_id).read_text())
    stale = told | {"session_id": gone, "name": "farm", "socket": str(person.home.daemon_socket(gone))}
    person.home.run_file(gone).write_text(json.dumps(stale))
    try:
        ran = person.run("events", "--json", check=False)
    finally:
        person.home.run_file(gone).unlink()
    assert ran.code == 4
    assert {event["session_id"] for event in ran.lines} == {run.session_id}
    assert "farm tells nothing after event 0: nobody listens" in ran.stderr


def test_a_session_that_cannot_work_shows_why(person: Person, shop: Path) -> None:
    (shop / "config.toml").write_text("[agents]\ngrace = 'long'\n")
    ran = person.run("spawn", shop, "--", "true", check=False)
    assert ran.code == 2  # not the command, but its configuration is wrong
    assert "grace" in ran.stderr


def test_ps_waits_for_no_hanging_daemon_and_asks_its_store(person: Person, shop: Path) -> None:
    agent = person.spawn(shop, ["sleep", "600"])
    run = read_run_files(person.home)[0]
    os.kill(run.pid, signal.SIGSTOP)
    try:
        listed = person.run("ps", "--json").json
        assert "[its daemon does not answer: this is what was stored]" in person.run("ps").stdout
    finally:
        os.kill(run.pid, signal.SIGCONT)
    assert listed["sessions"][0]["pid"] is None
    assert [(found["id"], found["status"]) for found in listed["agents"]] == [(agent["id"], "running")]


def test_a_daemon_that_does_not_answer_is_waited_for_and_that_is_told(person: Person, shop: Path) -> None:
    """Once `kill` stood there without a word, for an hour if need be."""
    agent = person.spawn(shop, ["sleep", "600"])
    run = read_run_files(person.home)[0]
    os.kill(run.pid, signal.SIGSTOP)
    with person.start("kill", agent["id"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as killing:
        assert killing.stderr is not None
        told = killing.stderr.readline().decode()
        os.kill(run.pid, signal.SIGCONT)
        assert killing.wait(20) == 0
    assert f"the daemon of shop (process {run.pid}) does not answer; waiting for it" in told


def test_agents_without_a_daemon_are_still_shown(person: Person, shop: Path) -> None:
    """Once `ps` said that no session is active, while the agents of a daemon that was asked to end lived on."""
    agent = person.spawn(shop, ["sleep", "600"])
    run = read_run_files(person.home)[0]
    os.kill(run.pid, signal.SIGTERM)
    process_gone(run.pid)
    wait_until(lambda: not read_run_files(person.home), "the daemon has ended in order")
    listed = person.run("ps", "--json").json
    assert [(found["id"], found["status"]) for found in listed["agents"]] == [(agent["id"], "running")]
    assert [(session["status"], session["pid"]) for session in listed["sessions"]] == [("Inactive", None)]
    assert "[descartes sessions start shop goes on with its agents]" in person.run("ps").stdout
    person.run("sessions", "start", "shop")
    assert person.run("ps", "--json").json["sessions"][0]["status"] == "Active"


@pytest.mark.supervisor("own")
def test_agents_that_died_with_daemon_and_supervisor_are_shown_as_lost(person: Person, shop: Path) -> None:
    agent = person.spawn(shop, ["sleep", "600"])
    run = read_run_files(person.home)[0]
    supervisor = person.run("supervisor", "status", "--json").json["pid"]
    os.kill(supervisor, signal.SIGKILL)
    os.kill(run.pid, signal.SIGKILL)
    process_gone(agent["pid"])
    listed = person.run("ps", "--json").json
    assert [(found["id"], found["status"]) for found in listed["agents"]] == [(agent["id"], "lost")]
    person.run("sessions", "start", "shop")
    assert person.run("ps", "-a", "--json").json["agents"][0]["status"] == "failed"


def test_a_table_shows_what_lives(person: Person, shop: Path, descartes: Callable[..., Ran]) -> None:
    person.spawn(shop, ["sh", "-c", "sleep 600; echo '\x1b[31m'"], "--name", "żółw 🐢")
    heads, row = person.run("ps").stdout.splitlines()
    assert heads.split() == ["ID", "NAME", "STATUS", "SESSION", "PID", "STARTED", "COMMAND"]
    assert "żółw 🐢  running  shop" in row
    assert "\\x1b[31m" in row


def test_session_verbs(person: Person) -> None:
    made = person.run("sessions", "create", person.directory / "projects" / "new", "--name", "fresh", "--json").json
    assert person.run("sessions", "create", made["path"], check=False).code == 5
    started = person.run("sessions", "start", "fresh", "--json").json
    assert call(started["socket"], "session.info")["session"]["id"] == made["id"]
    shown = person.run("sessions", "show", made["id"][:6], "--json").json
    assert (shown["status"], shown["pid"]) == ("Active", started["pid"])
    assert [found["name"] for found in person.run("sessions", "list", "--json").json["sessions"]] == ["fresh"]
    person.spawn(Path(made["path"]), ["sleep", "600"])
    assert person.run("sessions", "stop", "fresh", check=False).code == 5
    stopped = person.run("sessions", "stop", "fresh", "--force", "--json").json
    assert (stopped["status"], len(stopped["ended"])) == ("Inactive", 1)
    assert person.run("sessions", "show", "fresh", "--json").json["status"] == "Inactive"


def test_what_the_list_shows_can_be_named_before_it_was_ever_used(person: Person) -> None:
    person.workspace("bank")
    (listed,) = person.run("sessions", "list", "--json").json["sessions"]
    assert person.run("sessions", "show", "bank", "--json").json["id"] == listed["id"]
    assert person.run("sessions", "show", listed["id"][:8], "--json").json["name"] == "bank"
    assert person.run("sessions", "show", "nobody", check=False).code == 3
