"""A second writer, that does to a file of tasks what SCUD does: reads it, empties it, waits for the lock, writes all.

As a program it changes one task for each line it is given, `TAG ID STATUS MILLISECONDS`, with that pause between
reading and emptying, and says `done` behind each.
"""

from __future__ import annotations

import fcntl
import os
import sys
import threading
from dataclasses import replace
from pathlib import Path

from descartes_core.scud import graph
from descartes_core.scud.canonical import write_phase
from descartes_core.scud.task import Graph


def read(file: Path) -> str:
    """Read it under a shared lock, by its name, as SCUD does."""
    with open(file) as locked:
        fcntl.flock(locked, fcntl.LOCK_SH)
        return file.read_text()


def changed(text: str, tag: str, task_id: str, status: str) -> str:
    """Return all of the tree as SCUD writes it, with one status changed."""
    tree = graph.parse(text)
    phases = [
        replace(
            phase,
            tasks=tuple(replace(task, status=status) if is_it(task, tag, task_id) else task for task in phase.tasks),
        )
        for phase in tree.phases
    ]
    return "\n---\n\n".join(write_phase(phase) for phase in Graph(tuple(phases)).phases)


def is_it(task: object, tag: str, task_id: str) -> bool:
    return (getattr(task, "tag", ""), getattr(task, "id", "")) == (tag, task_id)


def write(file: Path, text: str) -> None:
    """Empty it, wait for the lock as long as SCUD does, and write it by its name."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        pause = 0.01
        for tries in range(11):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if tries == 10:
                    raise
                threading.Event().wait(pause)
                pause = min(2 * pause, 1.0)
        file.write_text(text)
    finally:
        os.close(descriptor)


def main(file: Path) -> None:
    print("ready", flush=True)
    for line in sys.stdin:
        tag, task_id, status, pause = line.split()
        text = read(file)
        while not text.strip():  # emptied by somebody: SCUD would fail here, and be called again
            text = read(file)
        threading.Event().wait(int(pause) / 1000)
        write(file, changed(text, tag, task_id, status))
        print("done", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
