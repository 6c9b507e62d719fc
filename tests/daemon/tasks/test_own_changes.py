"""A session keeps tasks of its own, where the workspace has none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import AlreadyExists, Refused, TaskNotFound
from descartes_core.scud.mapping import OWN_COMPLEXITIES, OWN_STATUSES, PRIORITIES
from descartes_daemon.sql import MIGRATIONS
from tests.support.inside import Inside, open_inside

pytestmark = pytest.mark.anyio


async def add(inside: Inside, title: str, **more: Any) -> Any:
    return (await inside.call("task.add", title=title, **more))["task"]


async def told(inside: Inside) -> list[tuple[str, str]]:
    events = (await inside.call("event.list", filter={"event_categories": ["task"]}))["events"]
    return [(event["event_type"], event["data"]["task_id"]) for event in events]


def test_the_words_of_the_table_are_those_of_the_mapping() -> None:
    script = dict(MIGRATIONS)[6]
    for words in (OWN_STATUSES, PRIORITIES, OWN_COMPLEXITIES):
        assert f"IN ({', '.join(repr(word) for word in words)})" in " ".join(script.split())


async def test_tasks_are_numbered_and_wait_for_one_another(short: Path) -> None:
    async with open_inside(short) as inside:
        first = await add(inside, "Write", complexity="complex", priority="high", description="all of it")
        second = await add(inside, "Test", dependencies=["own:1"], complexity=3)
        assert (first["task_id"], first["complexity"], first["is_ready"]) == ("own:1", 13, True)
        assert (second["task_id"], second["complexity"], second["waits_for"]) == ("own:2", 2, ["own:1"])
        assert (await inside.call("task.next"))["task"]["id"] == "1"
        assert (await inside.call("task.waves"))["phases"][0]["waves"] == [["1"], ["2"]]
        done = await inside.call("task.set_status", task_id="1", status="done")
        assert done["task"]["status"] == "done"
        assert (await inside.call("task.next"))["task"]["id"] == "2"
        assert (await inside.call("task.stats"))["by_status"] == {"done": 1, "pending": 1}
    async with open_inside(short, identity=Path(inside.daemon.agents.place.data).name) as inside:
        assert (await inside.call("task.next"))["task"]["id"] == "2"
        assert await told(inside) == [
            ("created", "own:1"),
            ("created", "own:2"),
            ("status_changed", "own:1"),
            ("completed", "own:1"),
        ]


async def test_several_words_of_scud_are_one_here(short: Path) -> None:
    async with open_inside(short) as inside:
        await add(inside, "Write")
        for status, became in (("todo", "pending"), ("in_progress", "in-progress"), ("review", "in-progress")):
            changed = await inside.call("task.set_status", task_id="1", status=status)
            assert changed["task"]["status"] == became
        assert await told(inside) == [("created", "own:1"), ("status_changed", "own:1"), ("started", "own:1")]


async def test_what_is_changed_stays_changed(short: Path) -> None:
    async with open_inside(short) as inside:
        await add(inside, "Write", id="a.1")
        await add(inside, "Test", dependencies=["a.1"])
        updated = await inside.call(
            "task.update", task_id="a.1", title="Write it", priority="low", complexity="epic", status="blocked"
        )
        task = updated["task"]
        assert (task["title"], task["priority"], task["complexity"], task["status"]) == (
            "Write it",
            "low",
            21,
            "blocked",
        )
        claimed = (await inside.call("task.claim", task_id="a.1", agent="fixer"))["task"]
        assert (claimed["assigned_to"], claimed["locked_by"], claimed["title"]) == ("fixer", "fixer", "Write it")
        assert (await inside.call("task.get", task_id="own:a.1"))["task"] == claimed
        freed = (await inside.call("task.update", task_id="1", dependencies=[]))["task"]
        assert (freed["dependencies"], freed["is_ready"]) == ([], True)


async def test_what_cannot_be_is_refused(short: Path) -> None:
    async with open_inside(short) as inside:
        await add(inside, "Write")
        await add(inside, "Test", dependencies=["1"])
        with pytest.raises(Refused, match="would wait for itself: "):
            await inside.call("task.update", task_id="1", dependencies=["2"])
        with pytest.raises(AlreadyExists, match="own:1 exists"):
            await add(inside, "Again", id="1")
        with pytest.raises(TaskNotFound, match="no task '7'"):
            await add(inside, "Lost", dependencies=["7"])
        with pytest.raises(Refused, match="no tree of SCUD"):
            await inside.call("task.use", phase="own")
        assert (await inside.call("task.stats"))["edges"] == 1


async def test_a_repeat_adds_nothing(short: Path) -> None:
    async with open_inside(short) as inside:
        first = await add(inside, "Write", request_id="r")
        assert await add(inside, "Write", request_id="r") == first
        assert (await inside.call("task.stats"))["nodes"] == 1
