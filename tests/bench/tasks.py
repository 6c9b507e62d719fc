"""How soon a change of SCUD's tasks is told, and what its questions cost, beside reading the file."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from descartes_core.scud import edits
from descartes_local.inotify import CLOSE_WRITE, Inotify
from tests.bench.figures import Figure, interleaved, median, ms
from tests.bench.ground import Ground, running_session
from tests.support import scud_writer
from tests.support.scud_trees import HERE, large

CHANGES, QUESTIONS = 40, 50
STATUSES = ("in-progress", "pending")


def measure() -> list[Figure]:
    """Change one task again and again, in a tree of 160 and one of 10,000 tasks."""
    small = (HERE / "descartes/tasks/tasks.scg").read_text()
    return [*_of_tree("160 tasks", small, "demo"), *_of_tree("10,000 tasks", large(10, 1000), "phase-0")]


def _of_tree(what: str, text: str, tag: str) -> list[Figure]:
    with running_session() as ground:
        file = ground.workspace / ".scud/tasks/tasks.scg"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        told, bare = _told(ground, file, tag), _bare(file, tag)
        answer, read = _asked(ground, file)
        shutil.rmtree(file.parent)
    return [
        Figure(
            f"a change of one of {what} is told",
            ms(told),
            f"inotify and nothing else: {ms(bare)}",
            "< 100 ms" if what.startswith("160") else "-",
            f"+ {(median(told) - median(bare)) * 1e3:.1f} ms, a commit among it",
        ),
        Figure(
            f"`task.stats` of {what}",
            ms(answer),
            f"reading the file: {ms(read)}",
            "-",
            f"+ {(median(answer) - median(read)) * 1e3:.1f} ms",
        ),
    ]


def _told(ground: Ground, file: Path, tag: str) -> list[float]:
    """Return how long after a write its event has come to a listener."""
    taken = []
    with ground.connect() as connection:
        connection.call("task.stats", {})
        for number in range(CHANGES):
            since = connection.call("event.list", {"since": 0, "limit": 1})["last_seq"]
            _change(file, tag, number)
            began = time.perf_counter()
            connection.call("event.list", {"since": since, "wait": 30.0})
            taken.append(time.perf_counter() - began)
    return taken


def _bare(file: Path, tag: str) -> list[float]:
    """Return how long after a write the kernel has told of it, and the file is read."""
    taken, inotify = [], Inotify()
    inotify.add(file, CLOSE_WRITE)
    for number in range(CHANGES):
        _change(file, tag, number)
        began = time.perf_counter()
        while not inotify.read():
            pass
        file.read_bytes()
        taken.append(time.perf_counter() - began)
    inotify.close()
    return taken


def _change(file: Path, tag: str, number: int) -> None:
    scud_writer.write(file, edits.set_status(file.read_text(), tag, "1", STATUSES[number % 2]))


def _asked(ground: Ground, file: Path) -> list[list[float]]:
    with ground.connect() as connection:
        return interleaved(QUESTIONS, lambda: connection.call("task.stats", {}), file.read_bytes)
