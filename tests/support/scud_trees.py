"""Trees of tasks: real ones with other words, and such as tests make."""

from __future__ import annotations

import os
from pathlib import Path

HERE = Path(__file__).parents[1] / "scud_trees"

#: What a parser must find: nodes, edges, rows of parents, details, and how many of each letter.
COUNTS = {
    "descartes": (160, 162, 30, 160, {"expanded": 25, "pending": 122, "done": 13}),
    "hl_project": (35, 25, 6, 35, {"pending": 29, "expanded": 6}),
    "coalgas": (12, 12, 1, 12, {"done": 10, "expanded": 1, "pending": 1}),
}
PHASES = {"codelayer": 31, "demo": 10, "opencode": 52, "ralph": 16, "webapp": 26, "zmq-backbone": 25}


def text_of(tree: str, file: str = "tasks.scg") -> str:
    """Return a file of a tree."""
    return (HERE / tree / "tasks" / file).read_text()


def real_trees() -> list[Path]:
    """Return the graphs that stand where DESCARTES_SCUD_TREES says."""
    place = os.environ.get("DESCARTES_SCUD_TREES")
    return sorted(Path(place).glob("*/.scud/tasks/tasks.scg")) if place else []


def large(phases: int, tasks: int) -> str:
    """Return a graph as SCUD writes it, of many tasks, each with a parent, a dependency and details."""
    return "\n---\n\n".join(_phase(f"phase-{number}", tasks) for number in range(phases))


def _phase(tag: str, tasks: int) -> str:
    rows = [f"{number} | Task {number} of {tag} | {'PIDX'[number % 4]} | 3 | H" for number in range(1, tasks + 1)]
    edges = [f"{number} -> {number - 1}" for number in range(2, tasks + 1)]
    parents = [f"{number}: {number + 1}, {number + 2}" for number in range(3, tasks - 1, 12)]
    details = [f"{number} | description |\n  {'What is to be done, and how. ' * 8}" for number in range(1, tasks + 1)]
    head = f"# SCUD Graph v1\n# Phase: {tag}\n\n@meta {{\n  name {tag}\n  updated 2026-01-08T23:30:31+00:00\n}}\n"
    return "\n".join(
        [
            head,
            "@nodes\n# id | title | status | complexity | priority",
            *rows,
            "\n@edges\n# dependent -> dependency",
            *edges,
            "\n@parents\n# parent: subtasks...",
            *parents,
            "\n@details",
            *details,
            "",
        ]
    )
