"""Read what stands somewhere as a whole: tasks and transcripts, anew when they change."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

from descartes_core.scud import graph, json_tree
from descartes_daemon.search.hiding import Hiding
from descartes_daemon.search.index_file import Passage, Read, Source
from descartes_local.regular_file import NotRegular, open_regular

TASKS = (".scud/tasks/tasks.scg", ".scud/tasks/tasks.json")
TRANSCRIPTS = ".scud/sessions"
#: Larger ones are not read, as a search reads again what it finds in them; nor more transcripts.
_LARGEST, _MOST = 16 * 1024 * 1024, 2000
_OWN = "SELECT id, title, status, description, updated_at FROM tasks ORDER BY created_at, id"


class Part(NamedTuple):
    """One task, or one text of a transcript."""

    text: str
    task: str = ""
    at: float | None = None


class Document:
    """Something that is read as a whole; places in it are counted."""

    def __init__(self, stamp: int, at: float, read: Callable[[], list[Part]]) -> None:
        self._stamp, self._at, self._read = stamp, at, read
        self._parts: list[Part] | None = None

    def behind(self, known: int) -> int:
        """Say whether it is another one than was read: 1, else 0."""
        return int(known != self._stamp)

    def read(self, _source: Source, hiding: Hiding) -> Read:
        """Read all of it; of what is being written it may be nothing: that has another stamp when it is whole."""
        parts = self._all()
        told = (
            Passage(place, place + 1, part.at or self._at, hiding.hide(part.text), part.task)
            for place, part in enumerate(parts)
        )
        return Read([passage for passage in told if passage.text.strip()], self._stamp)

    def text(self, begin: int, _end: int, hiding: Hiding) -> str:
        """Return what one part says; nothing where it is not there any more."""
        parts = self._all()
        return hiding.hide(parts[begin].text) if begin < len(parts) else ""

    def lines(self, begin: int, end: int, hiding: Hiding) -> list[tuple[int, str]]:
        """Return the same line by line, each with the place of the part; of a task each with its id."""
        parts = self._all()
        task = f"{parts[begin].task}: " if begin < len(parts) and parts[begin].task else ""
        return [(begin, f"{task}{line}") for line in self.text(begin, end, hiding).split("\n") if line.strip()]

    def _all(self) -> list[Part]:
        if self._parts is None:
            self._parts = self._read()
        return self._parts


def tasks_of(workspace: Path) -> Document | None:
    """Return the workspace's tasks, as SCUD has them; None where there are none."""
    for place in TASKS:
        if (stamp := _stamp(workspace / place)) is not None:
            return Document(*stamp, lambda path=workspace / place: _tasks(path))  # type: ignore[misc]
    return None


def own_tasks(state: sqlite3.Connection) -> Document | None:
    """Return the session's own tasks; None where it has none."""
    try:
        rows = state.execute(_OWN).fetchall()
    except sqlite3.OperationalError:  # a store of before there were any
        return None
    if not rows:
        return None
    parts = [Part("\n".join(filter(None, (title, status, text))), task, at) for task, title, status, text, at in rows]
    return Document(crc32(repr(rows).encode()) or 1, 0.0, lambda: parts)


def transcripts_of(workspace: Path) -> Iterator[tuple[str, Document]]:
    """Walk over the transcripts of a workspace."""
    try:
        names = sorted(entry.name for entry in os.scandir(workspace / TRANSCRIPTS) if _is_read(entry.name))
    except OSError:
        return
    for name in names[-_MOST:]:
        if (found := transcript(workspace, name)) is not None:
            yield name, found


def _is_read(name: str) -> bool:
    """Say whether it is called as transcripts are; a name that is no text cannot be stored."""
    return name.endswith(".json") and not any("\ud800" <= sign <= "\udfff" for sign in name)


def transcript(workspace: Path, name: str) -> Document | None:
    """Return one transcript; None where it is not there."""
    path = workspace / TRANSCRIPTS / name
    stamp = _stamp(path)
    return None if stamp is None else Document(*stamp, lambda: [Part(text) for text in _strings(_json(path))])


def _stamp(path: Path) -> tuple[int, float] | None:
    """Return by what a change of a file is known, and when it was; None where it is none that is read."""
    try:
        found = path.stat()
    except OSError:
        return None
    if not 0 < found.st_size <= _LARGEST:
        return None
    # Not when it was written: who may read it by now did not write it.
    return (found.st_ctime_ns * 31 + found.st_size) % 2**62 or 1, found.st_mtime


def _tasks(path: Path) -> list[Part]:
    try:
        text = _content(path).decode("utf-8", "replace")
    except (OSError, NotRegular):
        return []
    tree = graph.parse(text) if path.suffix == ".scg" else json_tree.parse(text)
    return [
        Part(
            "\n".join(filter(None, (task.title, task.status, task.description, task.details, task.test_strategy))),
            task.task_id,
        )
        for phase in tree.phases
        for task in phase.tasks
    ]


def _content(path: Path) -> bytes:
    with open(open_regular(path), "rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:  # it has grown meanwhile
        raise NotRegular(path)
    return content


def _json(path: Path) -> Any:
    try:
        return json.loads(_content(path))
    except (OSError, NotRegular, ValueError, RecursionError):
        return None


def _strings(value: Any) -> Iterator[str]:
    """Walk over all that is text in it, in order."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, str):
            if " " in one or "\n" in one:  # a sentence; else a word of the format
                yield one
        elif isinstance(one, dict):
            left += reversed(list(one.values()))
        elif isinstance(one, list):
            left += reversed(one)
