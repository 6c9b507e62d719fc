"""What is asked of SCUD's tasks is answered as SCUD would."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import Ambiguous, Conflict, Refused, TaskNotFound
from descartes_core.scud import edits, graph
from tests.support import scud_writer
from tests.support.inside import Inside, open_inside
from tests.support.scud_trees import COUNTS, HERE, PHASES

pytestmark = pytest.mark.anyio


def plant(inside_directory: Path, tree: str) -> Path:
    """Put one of the trees into the workspace that will be served; return its directory."""
    scud = inside_directory / "shop" / ".scud"
    shutil.copytree(HERE / tree, scud, dirs_exist_ok=True)
    return scud


async def ids(inside: Inside, **params: Any) -> list[str]:
    return [task["task_id"] for task in (await inside.call("task.list", **params))["tasks"]]


@pytest.mark.parametrize("tree", COUNTS)
async def test_real_trees_are_counted(short: Path, tree: str) -> None:
    plant(short, tree)
    nodes, edges, parents, details, by_status = COUNTS[tree]
    async with open_inside(short) as inside:
        stats = await inside.call("task.stats")
        assert list(stats) == ["nodes", "edges", "parents", "details", "by_status", "by_phase"]
        counted = (stats["nodes"], stats["edges"], stats["parents"], stats["details"], stats["by_status"])
        assert counted == (nodes, edges, parents, details, by_status)
        assert sum(stats["by_phase"].values()) == nodes
        listed = await inside.call("task.list")
        assert (len(listed["tasks"]), listed["total"], listed["source"]) == (nodes, nodes, "scud")


async def test_phases_are_told_with_the_active_one(short: Path) -> None:
    scud = plant(short, "descartes")
    async with open_inside(short) as inside:
        phases = (await inside.call("task.phases"))["phases"]
        assert {phase["tag"]: phase["tasks"] for phase in phases} == PHASES
        assert [phase["tag"] for phase in phases if phase["is_active"]] == ["ralph"]
        used = await inside.call("task.use", phase="demo")
        assert [phase["tag"] for phase in used["phases"] if phase["is_active"]] == ["demo"]
        assert (scud / "active-tag").read_text() == "demo\n"
        with pytest.raises(TaskNotFound, match="no phase 'nothing'; there are: codelayer"):
            await inside.call("task.use", phase="nothing")


async def test_an_id_is_of_the_active_phase_first(short: Path) -> None:
    scud = plant(short, "descartes")
    async with open_inside(short) as inside:
        assert (await inside.call("task.get", task_id="1"))["task"]["task_id"] == "ralph:1"
        assert (await inside.call("task.get", task_id="demo:10"))["task"]["waits_for"] != []
        (scud / "active-tag").unlink()
        with pytest.raises(Ambiguous, match="codelayer:1"):
            await inside.call("task.get", task_id="1")
        with pytest.raises(TaskNotFound, match="no task 'x'"):
            await inside.call("task.get", task_id="x")


async def test_lists_are_filtered_and_paged(short: Path) -> None:
    plant(short, "coalgas")
    async with open_inside(short) as inside:
        assert await ids(inside, ready=True) == ["research:10"]
        assert await ids(inside, status=["pending"]) == ["research:10"]
        assert await ids(inside, phase="research", limit=2, offset=10) == ["research:9", "research:10"]
        assert (await inside.call("task.next"))["task"]["task_id"] == "research:10"
        waves = (await inside.call("task.waves"))["phases"]
        assert waves == [{"phase": "research", "waves": [["10"]], "stuck": []}]


async def test_what_is_wrong_with_a_tree_is_told_and_the_rest_served(short: Path) -> None:
    tasks = short / "shop" / ".scud" / "tasks"
    tasks.mkdir(parents=True)
    rows = "1 | One | P | 1 | H\n2 | Two | P | 1 | H\n3 | Three | P | 1 | H\nonly half\n4 | Four | P | 1 | H\n"
    edges = "1 -> 2\n2 -> 1\n3 -> 9\n"
    (tasks / "tasks.scg").write_text(f"# SCUD Graph v1\n# Phase: a\n\n@nodes\n{rows}\n@edges\n{edges}")
    async with open_inside(short) as inside:
        listed = await inside.call("task.list")
        assert len(listed["tasks"]) == 4
        assert listed["faults"] == [
            "a line 8: a task needs id | title | status | complexity | priority",
            "a:3: it waits for 9, which is missing",
            "a: these wait for each other: a:1 -> a:2 -> a:1",
        ]
        assert await ids(inside, ready=True) == ["a:4"]
        assert (await inside.call("task.waves"))["phases"] == [
            {"phase": "a", "waves": [["4"]], "stuck": ["1", "2", "3"]}
        ]


async def test_the_tasks_of_scud_are_not_made_here(short: Path) -> None:
    plant(short, "coalgas")
    async with open_inside(short) as inside:
        with pytest.raises(Refused, match=r"research:10 is SCUD's"):
            await inside.call("task.update", task_id="10", title="Something else")


async def test_old_generations_are_read(short: Path) -> None:
    old = short / "shop" / ".taskmaster"
    (old / "tasks").mkdir(parents=True)
    shutil.copy(HERE / "descartes" / "tasks" / "tasks.json", old / "tasks" / "tasks.json")
    async with open_inside(short) as inside:
        listed = await inside.call("task.list")
        assert listed["tasks"]
        (old / "workflow-state.json").write_text('{{"active_epic": "{}"}}'.format(listed["tasks"][0]["phase"]))
        assert (await inside.call("task.list"))["active_phase"] == listed["tasks"][0]["phase"]
        with pytest.raises(Refused, match="only tasks of"):
            await inside.call("task.set_status", task_id=listed["tasks"][0]["task_id"], status="review")


async def test_one_row_is_written_and_who_asked_is_told(short: Path) -> None:
    file = plant(short, "descartes") / "tasks/tasks.scg"
    before = file.read_bytes()
    async with open_inside(short) as inside:
        await inside.call("task.list")
        since = (await inside.call("event.list"))["last_seq"]
        changed = await inside.call("task.set_status", task_id="demo:1", status="in-progress", was="pending")
        assert changed["task"]["status"] == "in-progress"
        differing = [(was, now) for was, now in zip(before, file.read_bytes(), strict=True) if was != now]
        assert differing == [(ord("P"), ord("I"))]
        claimed = (await inside.call("task.claim", task_id="demo:1", agent="fixer"))["task"]
        assert (claimed["assigned_to"], claimed["locked_by"]) == ("fixer", "fixer")
        (event, *_) = (await inside.call("event.list", since=since))["events"]
        assert (event["data"]["task_id"], event["data"]["client"][:4]) == ("demo:1", "pid ")
        with pytest.raises(Conflict, match="is in-progress, not pending"):
            await inside.call("task.set_status", task_id="demo:1", status="done", was="pending")
        with pytest.raises(Conflict, match="claimed by fixer"):
            await inside.call("task.claim", task_id="demo:1", agent="another")


async def test_what_a_command_of_scud_undoes_that_had_read_before_is_written_again(short: Path) -> None:
    file = plant(short, "descartes") / "tasks/tasks.scg"
    async with open_inside(short) as inside:
        await inside.call("task.list")
        read_before = file.read_text()
        await inside.call("task.set_status", task_id="demo:1", status="in-progress")
        since = (await inside.call("event.list"))["last_seq"]
        scud_writer.write(file, edits.set_status(read_before, "demo", "3", "review"))
        inside.daemon.rooms.tasks.open().stirred(is_written=True)
        seen: dict[str, str] = {}
        while seen.get("demo:3") != "review" or seen.get("demo:1", "in-progress") != "in-progress":
            page = await inside.call("event.list", since=since, wait=15.0)
            since = page["next_since"]
            assert page["events"], f"nothing more is told after {seen}"
            seen |= {event["data"]["task_id"]: event["data"].get("status", "") for event in page["events"]}
    tasks = {task.task_id: task.status for task in graph.parse(file.read_text()).tasks}
    assert (tasks["demo:1"], tasks["demo:3"]) == ("in-progress", "review")
