"""What others write into the tree is told once, and nothing is told that did not happen."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from descartes_daemon.store import Store
from descartes_daemon.tasks import board as of_board
from descartes_daemon.tasks import tree_file
from descartes_daemon.tasks.board import Board
from descartes_daemon.tasks.guard import Guard
from descartes_daemon.tasks.watch import Watch
from descartes_daemon.tasks.writing_back import WritingBack
from tests.support.scud_trees import HERE

pytestmark = pytest.mark.anyio

GRAPH = """# SCUD Graph v1
# Phase: auth

@meta {
  name auth
}

@nodes
# id | title | status | complexity | priority
1 | Parse | X | 3 | H
1.1 | Rows | P | 2 | H
1.2 | Texts | P | 2 | M
2 | Write | P | 5 | M

@edges
# dependent -> dependency
2 -> 1

@parents
# parent: subtasks...
1: 1.1, 1.2
"""


@dataclass
class Place:
    """A workspace with a tree, and what is told of it."""

    workspace: Path
    store: Store
    board: Board

    @property
    def file(self) -> Path:
        return self.workspace / ".scud/tasks/tasks.scg"

    def write(self, text: str = GRAPH) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(text)

    async def looked(self, text: str | None = None) -> list[tuple[Any, ...]]:
        """Look, at what is written before, and return what was told of it."""
        since = self.store.last_seq()
        if text is not None:
            self.write(text)
        await self.board.look(anew=True)
        return [brief(event) for event in await self.store.events_after(since, 10_000)]

    @property
    def statuses(self) -> dict[str, str]:
        assert self.board.view is not None
        return {task.id: task.status for task in self.board.view.tree.tasks.values()}


def brief(event: dict[str, Any]) -> tuple[Any, ...]:
    """Return an event without what is the same in all of a test."""
    assert event["type"] == "TaskEvent"
    data = {key: value for key, value in event["data"].items() if key not in ("title", "source", "client")}
    return event["event_type"], *data.values()


@asynccontextmanager
async def placed(directory: Path, graph: str | None = GRAPH) -> AsyncIterator[Place]:
    workspace = directory / "shop"
    workspace.mkdir(exist_ok=True)
    async with Store.open(directory / "state.db") as store:
        place = Place(workspace, store, Board(workspace, store))
        if graph is not None:
            await place.looked(graph)
        yield place


def status(text: str, task: str, letter: str) -> str:
    """Return the text with another status of one task."""
    lines = [line.split(" | ") for line in text.splitlines(keepends=True)]
    return "".join(" | ".join([*line[:2], letter, *line[3:]] if line[0] == task else line) for line in lines)


def guard_of(place: Place) -> Guard:
    """Return what writes there, which is asked for nothing."""
    return Guard(WritingBack(place.file, place.workspace / "journal"))


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let what is missing be believed at once from where it is called."""
    return lambda: monkeypatch.setattr(of_board, "SETTLE", 0.0)


async def test_what_is_there_first_is_created(tmp_path: Path) -> None:
    async with placed(tmp_path, None) as place:
        assert await place.looked() == []
        assert place.board.view is None
        created = [
            ("created", f"auth:{task}", word) for task, word in zip(("1", "1.1"), ("expanded", "pending"), strict=True)
        ]
        assert (await place.looked(GRAPH))[:2] == created
        assert len(place.statuses) == 4
        assert await place.looked() == []
        assert await place.looked(GRAPH) == []


async def test_each_change_has_its_word(tmp_path: Path) -> None:
    async with placed(tmp_path) as place:
        text = status(GRAPH, "2", "I")
        assert await place.looked(text) == [
            ("status_changed", "auth:2", "pending", "in-progress"),
            ("started", "auth:2", "pending", "in-progress"),
        ]
        text = status(text, "2", "F")
        assert await place.looked(text) == [("status_changed", "auth:2", "in-progress", "deferred")]
        text = status(text, "1.1", "D")
        assert await place.looked(text) == [
            ("status_changed", "auth:1.1", "pending", "done"),
            ("completed", "auth:1.1", "pending", "done"),
            ("progress", "auth:1", 1, 2),
        ]
        text = text.replace("2 | Write", "2 | Write it")
        assert await place.looked(text) == [("changed", "auth:2", "deferred", ["title"])]


async def test_what_changed_while_nobody_lived_is_told_once(tmp_path: Path) -> None:
    async with placed(tmp_path) as place:
        pass
    for told in ([("status_changed", "auth:2", "pending", "blocked")], []):
        async with placed(tmp_path, None) as place:
            assert await place.looked(status(GRAPH, "2", "B")) == told


async def test_a_removed_task_is_told_once_it_has_stayed_away(tmp_path: Path, soon: Callable[[], None]) -> None:
    without = GRAPH.replace("2 | Write | P | 5 | M\n", "")
    async with placed(tmp_path) as place:
        assert await place.looked(without) == []
        assert "2" not in place.statuses, "what lies there is shown at once"
        assert place.board.doubtful_until is not None
        assert await place.looked(GRAPH) == [], "it is back: nothing has happened"
        assert place.board.doubtful_until is None
        await place.looked(without)
        soon()
        assert await place.looked() == [("removed", "auth:2", "pending")]
        assert await place.looked() == []
        assert place.board.doubtful_until is None


@pytest.mark.parametrize("torn", ["", " \n", "# SCUD Graph v1\n", "\0" * 300 + GRAPH[300:]])
async def test_an_empty_file_is_one_that_is_being_written(
    tmp_path: Path, soon: Callable[[], None], monkeypatch: pytest.MonkeyPatch, torn: str
) -> None:
    monkeypatch.setattr(of_board, "_PAUSE", 0.0)
    async with placed(tmp_path) as place:
        assert await place.looked(torn) == []
        assert len(place.statuses) == 4
        assert await place.looked(status(GRAPH, "2", "I")) != []
        await place.looked(torn)
        assert len(place.statuses) == 4
        soon()
        await place.looked()
        removed = [event for event in await place.looked() if event[0] != "removed"]
        assert removed == []
        if "\0" not in torn:
            assert place.statuses == {}


async def test_whoever_writes_is_let_finish(tmp_path: Path) -> None:
    async with placed(tmp_path) as place:
        descriptor = os.open(place.file, os.O_RDWR | os.O_TRUNC)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, b"# SCUD Graph v1\n# Phase: auth\n\n@nodes\n1 | Parse | X | 3 | H\n")
        looking = asyncio.create_task(place.looked())
        await asyncio.to_thread(os.pwrite, descriptor, status(GRAPH, "2", "R").encode(), 0)
        os.close(descriptor)
        assert await looking == [("status_changed", "auth:2", "pending", "review")]


async def test_a_tree_that_vanished_is_not_deleted(tmp_path: Path, soon: Callable[[], None]) -> None:
    async with placed(tmp_path) as place:
        shutil.rmtree(place.workspace / ".scud")
        soon()
        assert await place.looked() == []
        assert len(place.statuses) == 4
        assert "is not there" in str(place.board.notice)
        assert await place.looked(GRAPH) == []
        assert place.board.notice is None
        shutil.rmtree(place.workspace / ".scud")
    async with placed(tmp_path, None) as place:
        assert await place.looked() == []
        assert len(place.statuses) == 4, "also after the daemon's death"


async def test_json_is_read_where_there_is_no_graph(tmp_path: Path) -> None:
    async with placed(tmp_path, None) as place:
        source = HERE / "descartes" / "tasks"
        place.file.parent.mkdir(parents=True)
        shutil.copy(source / "tasks.json", place.file.with_suffix(".json"))
        assert len(await place.looked()) == len(place.board.view.tree.tasks) > 0  # type: ignore[union-attr]
        assert not place.board.is_graph
        shutil.copy(source / "tasks.scg", place.file)
        await place.looked()
        assert not place.board.is_graph, "another file is believed after a while"
    async with placed(tmp_path, None) as place:
        await place.looked()
        assert not place.board.is_graph, "also after the daemon's death"


async def test_what_could_not_be_read_for_a_moment_is_read_with_the_next_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with placed(tmp_path) as place:
        place.write(status(GRAPH, "2", "D"))
        os.utime(place.file, (1, 1))  # so that its stamp is believed
        with monkeypatch.context() as patch:
            patch.setattr(tree_file, "LARGEST", 10)
            await place.board.look()
            assert "cannot be read" in str(place.board.notice)
        await place.board.look()
        assert (place.board.notice, place.statuses["2"]) == (None, "done")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
async def test_what_is_no_file_is_told(tmp_path: Path, make: Callable[[Path], None]) -> None:
    async with placed(tmp_path) as place:
        place.file.unlink()
        make(place.file)
        assert await place.looked() == []
        assert "cannot be read" in str(place.board.notice)
        assert len(place.statuses) == 4


async def test_who_only_begins_to_write_is_waited_for(tmp_path: Path) -> None:
    async with placed(tmp_path) as place:
        watch = Watch(place.board, guard_of(place))
        watch.stirred(is_written=False)
        place.file.write_text(status(GRAPH, "2", "D")[:150])
        looking = asyncio.create_task(watch.look())
        await asyncio.to_thread(place.file.write_text, status(GRAPH, "2", "D"))
        assert not looking.done()
        watch.stirred(is_written=True)
        await looking
        assert place.statuses["2"] == "done"


async def test_a_watch_tells_of_each_change_and_then_rests(tmp_path: Path) -> None:
    async with placed(tmp_path) as place:
        watch = Watch(place.board, guard_of(place))
        running = asyncio.create_task(watch.run())
        text, since = GRAPH, place.store.last_seq()
        for letter in "IDPR":
            text = status(text, "2", letter)
            place.write(text)
            watch.stirred(is_written=True)
            while place.store.last_seq() == since:
                await asyncio.wait([running], timeout=0.01)
            since = place.store.last_seq()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        events = [event for event in await place.store.events_after(0, 100) if event["event_type"] == "status_changed"]
        assert [event["data"]["status"] for event in events] == ["in-progress", "done", "pending", "review"]
