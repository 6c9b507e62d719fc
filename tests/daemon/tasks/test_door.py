"""Agents carry tasks, and who has no tasks does not pay for them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from descartes_core.errors import TaskNotFound
from tests.support.inside import open_inside
from tests.support.scud_trees import text_of

pytestmark = pytest.mark.anyio


async def test_an_agent_carries_its_task(short: Path) -> None:
    async with open_inside(short) as inside:
        await inside.call("task.add", title="Write")
        command = ["sh", "-c", "echo $DESCARTES_TASK_ID; exec sleep 1000"]
        spawned = await inside.spawn(command, task="1", env={"PATH": "/usr/bin:/bin", "DESCARTES_TASK_ID": "another"})
        assert spawned["task"] == "own:1"
        await inside.until(spawned["id"], b"own:1\r\n")
        (listed,) = (await inside.call("agent.list"))["agents"]
        assert listed["task"] == "own:1"
        task = (await inside.call("task.get", task_id="1"))["task"]
        assert (task["agents"], task["status"]) == ([spawned["id"]], "pending")
        await inside.call("agent.kill", agent_id=spawned["id"])
        events = (await inside.call("event.list", filter={"event_categories": ["agent"]}))["events"]
        assert {event["data"].get("task") for event in events} == {"own:1"}
        ended = (await inside.call("agent.list", all=True))["agents"][0]
        assert (ended["task"], ended["status"]) == ("own:1", "terminated")
        assert (await inside.call("task.get", task_id="1"))["task"]["status"] == "pending", "its end closes nothing"


async def test_who_has_no_task_has_none_of_its_parent(short: Path) -> None:
    async with open_inside(short) as inside:
        command = ["sh", "-c", "echo ${DESCARTES_TASK_ID-none}"]
        spawned = await inside.spawn(command, env={"PATH": "/usr/bin:/bin", "DESCARTES_TASK_ID": "another"})
        await inside.until(spawned["id"], b"none")
        events = (await inside.call("event.list", filter={"event_categories": ["agent"]}))["events"]
        assert not any("task" in event["data"] for event in events)


async def test_for_a_task_that_is_not_there_nothing_is_started(short: Path) -> None:
    async with open_inside(short) as inside:
        with pytest.raises(TaskNotFound, match="no task 'x'"):
            await inside.spawn(["true"], task="x")
        assert (await inside.call("agent.list", all=True))["agents"] == []


async def test_its_start_begins_the_task_where_that_is_configured(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESCARTES_TASKS__WRITE_BACK", "true")
    async with open_inside(short) as inside:
        await inside.call("task.add", title="Write")
        since = (await inside.call("event.list"))["last_seq"]
        await inside.spawn(["sleep", "1000"], task="1", name="fixer")
        wanted = {"event_categories": ["task"]}
        told = await inside.call("event.list", since=since, filter=wanted, wait=15.0)
        assert told["events"][0]["data"] == {
            "task_id": "own:1",
            "title": "Write",
            "source": "own",
            "client": "agent fixer",
            "was": "pending",
            "status": "in-progress",
        }


async def test_the_start_is_written_to_scud_s_file_and_what_cannot_be_is_told(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESCARTES_TASKS__WRITE_BACK", "true")
    tasks = short / "shop/.scud/tasks"
    tasks.mkdir(parents=True)
    (tasks / "tasks.scg").write_text(text_of("coalgas"))
    async with open_inside(short) as inside:
        since = (await inside.call("event.list"))["last_seq"]
        await inside.spawn(["sleep", "1000"], task="10")
        while " | I | " not in (tasks / "tasks.scg").read_text():
            assert (await inside.call("event.list", since=since, wait=15.0))["events"]
        await inside.call("task.set_status", task_id="10", status="pending")
        (tasks / "tasks.scg").rename(tasks / "tasks.json")
        (tasks / "tasks.json").write_text('{"a": {"tasks": [{"id": 1, "title": "One", "status": "pending"}]}}')
    async with open_inside(short, identity=inside.daemon.setup.record.id) as inside:
        await inside.spawn(["sleep", "1000"], task="research:10")
        while not inside.daemon.upkeep.notices:
            await inside.call("system.health")
        assert "task research:10 could not be made in-progress" in inside.daemon.upkeep.notices[0]


def test_what_a_daemon_is_made_of_holds_nothing_of_tasks() -> None:
    code = (
        "import sys, descartes_daemon.serve; print(*[n for n in sys.modules if '.tasks.' in n or '.scud' in n], end='')"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert set(found.split()) <= {"descartes_core.messages.tasks", "descartes_daemon.scud_watch"}
