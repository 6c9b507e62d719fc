"""Tasks of a workspace, by the installed command: counted, followed over deaths, and carried by agents."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import Conflict
from descartes_core.scud import edits, graph
from tests.support import scud_writer
from tests.support.house import ROOT
from tests.support.moments import Moments
from tests.support.person import Person
from tests.support.scud_trees import COUNTS, HERE, text_of
from tests.support.serving import kill_daemon, only_run
from tests.support.storm import ask
from tests.support.waiting import process_gone, wait_until

pytestmark = pytest.mark.supervisor("shared")


#: In this order, so that each is another one.
STATUSES = ("in-progress", "review", "blocked", "done", "pending")


def planted(person: Person, tree: str = "descartes") -> Path:
    """Return a workspace with one of the trees."""
    workspace = person.workspace(tree)
    shutil.copytree(HERE / tree, workspace / ".scud", dirs_exist_ok=True)
    return workspace


def file_of(workspace: Path) -> Path:
    return workspace / ".scud/tasks/tasks.scg"


def set_as_scud(workspace: Path, tag: str, task: str, status: str) -> None:
    path = file_of(workspace)
    scud_writer.write(path, edits.set_status(path.read_text(), tag, task, status))


def told(socket: str, since: int, *, wait: float = 20.0) -> tuple[list[tuple[str, str]], int]:
    """Return what was told of tasks after a cursor, and the next cursor."""
    wanted = {"event_categories": ["task"]}
    page = ask(socket, "event.list", {"since": since, "filter": wanted, "wait": wait, "limit": 10_000})
    return [(event["event_type"], event["data"]["task_id"]) for event in page["events"]], page["next_since"]


def begun(person: Person, workspace: Path, tasks: int) -> tuple[str, int]:
    """Start the daemon, and return its socket and the cursor behind the first sight of all tasks."""
    person.run("sessions", "start", workspace)
    socket, since, seen = only_run(person.home).socket, 0, 0
    while seen < tasks:
        events, since = told(socket, since)
        assert {word for word, _ in events} == {"created"}
        seen += len(events)
    return socket, since


@pytest.mark.parametrize("tree", COUNTS)
def test_real_trees_are_counted_exactly(person: Person, tree: str) -> None:
    nodes, edges, parents, details, by_status = COUNTS[tree]
    workspace = planted(person, tree)
    stats = person.run("tasks", "stats", "--json", cwd=workspace).json
    assert list(stats) == ["nodes", "edges", "parents", "details", "by_status", "by_phase"]
    assert list(stats.values())[:5] == [nodes, edges, parents, details, by_status]
    assert len(person.run("tasks", "list", "-s", workspace, "--json").json["tasks"]) == nodes
    assert person.run("tasks", "phases", "-s", workspace).stdout.startswith("PHASE")
    assert (HERE / tree / "tasks/tasks.scg").read_bytes() == file_of(workspace).read_bytes()


def test_a_change_is_told_once_whoever_lived_meanwhile(person: Person, moments: Moments) -> None:
    workspace = planted(person)
    socket, since = begun(person, workspace, 160)
    set_as_scud(workspace, "demo", "1", "in-progress")
    events, since = told(socket, since)
    assert events == [("status_changed", "demo:1"), ("started", "demo:1")]
    with moments.hold("daemon.locking") as next_daemon:
        pid = only_run(person.home).pid
        os.kill(pid, signal.SIGKILL)
        process_gone(pid)
        next_daemon.wait()
        set_as_scud(workspace, "demo", "1", "done")
    events, since = told(socket, since)
    assert events == [("status_changed", "demo:1"), ("completed", "demo:1")]
    kill_daemon(person.home)
    set_as_scud(workspace, "demo", "2", "review")
    assert told(socket, since)[0] == [("status_changed", "demo:2")]


def test_a_cleaned_workspace_loses_no_task(person: Person, moments: Moments) -> None:
    workspace = planted(person, "coalgas")
    kept = workspace.parent / "kept"
    shutil.copytree(workspace / ".scud/tasks", kept)
    socket, since = begun(person, workspace, 12)
    moments.wait_for("daemon.scud.watched")
    shutil.rmtree(workspace / ".scud")
    moments.wait_for("daemon.scud.rewritten")
    listed = person.run("tasks", "list", "-s", workspace)
    assert len(listed.stdout.splitlines()) == 13
    assert "as they were last seen" in listed.stderr
    os.rename(kept, workspace / ".scud/tasks")
    set_as_scud(workspace, "research", "10", "in-progress")
    assert told(socket, since)[0] == [("status_changed", "research:10"), ("started", "research:10")]


def test_a_tree_that_comes_later_is_seen(person: Person, moments: Moments) -> None:
    workspace = person.workspace()
    person.run("sessions", "start", workspace)
    moments.wait_for("daemon.scud.watched")
    assert person.run("tasks", "list", "-s", workspace).stdout == "no tasks; descartes tasks add TITLE makes one\n"
    shutil.copytree(HERE / "coalgas", workspace / ".scud", dirs_exist_ok=True)
    events, _ = told(only_run(person.home).socket, 0)
    assert {word for word, _ in events} == {"created"}
    (workspace / ".scud/tasks/tasks.scg").write_text("# SCUD Graph v1\n# Phase: a\n\n@nodes\n")
    assert told(only_run(person.home).socket, len(events) + 1)[0][0][0] == "removed"
    assert person.run("tasks", "list", "-s", workspace).stdout == "no tasks of SCUD; --own lists the session's\n"


@pytest.mark.parametrize("rounds", [40, pytest.param(1000, marks=[pytest.mark.soak, pytest.mark.timeout(900)])])
def test_a_writer_that_empties_the_file_first_makes_nothing_up(person: Person, rounds: int) -> None:
    """While SCUD writes, everybody who asks sees all tasks, and each status that it leaves was told in its order."""
    workspace = planted(person, "hl_project")
    socket, since = begun(person, workspace, 35)
    orders = _orders(rounds)
    command = [sys.executable, "-m", "tests.support.scud_writer", str(file_of(workspace))]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdin is not None
        writer.stdin.writelines(f"init {key.removeprefix('init:')} {status} 0\n" for key, status in orders)
        writer.stdin.close()
        counts = set()
        while writer.poll() is None:
            counts.add(ask(socket, "task.stats", {})["nodes"])
    assert writer.returncode == 0
    assert counts == {35}
    last = dict(orders)
    assert {key: _status(socket, key) for key in last} == last
    statuses: dict[str, str] = {}
    events = ask(socket, "event.list", {"since": since, "limit": 10_000})["events"]
    assert {event["event_type"] for event in events} <= {"status_changed", "started", "completed", "progress"}
    for event in events:
        data = event["data"]
        if event["event_type"] == "status_changed":
            assert data["was"] == statuses.get(data["task_id"], "pending")
            assert (data["task_id"], data["status"]) in orders
            statuses[data["task_id"]] = data["status"]
    assert {key: status for key, status in last.items() if statuses.get(key, "pending") != status} == {}


@pytest.mark.parametrize("rounds", [30, pytest.param(500, marks=[pytest.mark.soak, pytest.mark.timeout(900)])])
def test_what_is_written_beside_scud_stays_and_so_does_what_scud_writes(person: Person, rounds: int) -> None:
    """SCUD reads without the lock that it writes under, and so undoes what came between: that is written again."""
    workspace = planted(person, "hl_project")
    socket, _ = begun(person, workspace, 35)
    tasks = [key for key, _ in _orders(28)]
    theirs, ours = tasks[:14], tasks[14:]
    command = [sys.executable, "-m", "tests.support.scud_writer", str(file_of(workspace))]
    wanted = {}
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as writer:
        assert writer.stdin is not None
        for number in range(rounds):
            key, status = theirs[number % 14], STATUSES[number // 14 % len(STATUSES)]
            writer.stdin.write(f"init {key.removeprefix('init:')} {status} {number % 7}\n")
            writer.stdin.flush()
            wanted |= {key: status, ours[number % 14]: status}
            _insist(socket, ours[number % 14], status)
        writer.stdin.close()
    assert writer.returncode == 0
    wait_until(lambda: {key: _status(socket, key) for key in wanted} == wanted, "everybody's last word")


def _insist(socket: str, task_id: str, status: str) -> None:
    """Set a status, as often as it is refused because somebody else wrote just then."""
    while True:
        with contextlib.suppress(Conflict):
            ask(socket, "task.set_status", {"task_id": task_id, "status": status})
            return


def _orders(rounds: int) -> list[tuple[str, str]]:
    """Return what to do round by round: the next task to its next status."""
    tasks = [task.task_id for task in graph.parse(text_of("hl_project")).tasks if task.status == "pending"]
    return [(tasks[at % len(tasks)], STATUSES[at // len(tasks) % len(STATUSES)]) for at in range(rounds)]


def _status(socket: str, task_id: str) -> str:
    return str(ask(socket, "task.get", {"task_id": task_id})["task"]["status"])


def test_an_agent_carries_a_task_also_over_deaths(person: Person) -> None:
    workspace = planted(person, "coalgas")
    spawned = person.spawn(workspace, ["sh", "-c", "echo at $DESCARTES_TASK_ID; exec sleep 1000"], "--task", "10")
    assert spawned["task"] == "research:10"
    kill_daemon(person.home)
    assert person.run("ps", "--json").json["agents"][0]["task"] == "research:10"
    shown = person.run("tasks", "show", "10", "-s", workspace, "--json").json
    assert (shown["agents"], shown["status"]) == ([spawned["id"]], "pending")
    person.run("kill", "--force", spawned["id"])
    person.run("sessions", "stop", workspace)
    ended = person.run("ps", "-a", "--json").json["agents"][0]
    assert (ended["status"], ended["task"]) == ("terminated", "research:10")
    refused = person.run("spawn", workspace, "--task", "99", "--", "true", check=False)
    assert (refused.code, "no task '99'" in refused.stderr) == (3, True)


def test_own_tasks_are_what_a_workspace_without_scud_has(person: Person) -> None:
    workspace = person.directory / "projects" / "plain"
    person.run("sessions", "create", workspace)
    person.run("tasks", "add", "Write", "--priority", "high", "-s", workspace)
    person.run("tasks", "add", "Test", "--needs", "1", "--complexity", "epic", "-s", workspace)
    kill_daemon(person.home)
    listed = person.run("tasks", "list", "-s", workspace).stdout.splitlines()
    assert [line.split()[:3] for line in listed[1:]] == [["*", "own:1", "pending"], ["own:2", "pending", "medium"]]
    person.run("tasks", "set-status", "1", "done", "-s", workspace)
    assert person.run("tasks", "next", "-s", workspace, "--json").json["task"]["task_id"] == "own:2"
    refused = person.run("tasks", "update", "1", "--needs", "2", "-s", workspace, check=False)
    assert (refused.code, "wait for itself" in refused.stderr) == (5, True)


def test_a_browser_gets_the_same(person: Person) -> None:
    workspace = planted(person, "coalgas")
    person.run("sessions", "start", workspace)
    run, token = only_run(person.home), (person.home.path / "token").read_text().strip()
    asked = urllib.request.Request(
        f"{run.http_endpoint}/rpc/task.next",
        b"{}",
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(asked, timeout=20) as answer:
        told: dict[str, Any] = json.load(answer)
    assert told["task"]["task_id"] == "research:10"
