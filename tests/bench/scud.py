"""What it costs to read SCUD's tasks, and to know what is ready, beside cutting the same text into fields."""

from __future__ import annotations

from descartes_core.scud import diff, edits, graph, rules
from tests.bench.figures import Figure, interleaved, median, ms
from tests.support.scud_trees import large, text_of

ROUNDS = 20


def measure() -> list[Figure]:
    """Read a tree of 160 tasks, as real people have, and one of 10,000."""
    return [
        *_of("160 tasks", text_of("descartes"), ("demo", "1"), "< 5 ms"),
        *_of("10,000 tasks", large(10, 1000), ("phase-9", "500"), "< 300 ms"),
    ]


def _of(what: str, text: str, task: tuple[str, str], goal: str) -> list[Figure]:
    read = graph.parse(text)
    changed = graph.parse(edits.set_status(text, *task, "failed"))
    floor, parsed, ready, told, edited = interleaved(
        ROUNDS,
        lambda: _cut(text),
        lambda: graph.parse(text),
        lambda: rules.ready(read),
        lambda: diff.changes(read, changed),
        lambda: edits.set_status(text, *task, "done"),
    )
    beside = f"lines and fields cut: {ms(floor)}"
    return [
        Figure(f"a tree of {what} is parsed", ms(parsed), beside, goal, f"{median(parsed) / median(floor):.1f} ×"),
        Figure(
            f"ready set, changes, one edit of {what}",
            f"{ms(ready)}, {ms(told)}, {ms(edited)}",
            beside,
            "-",
            f"{median(ready) / median(floor):.1f} ×, {median(told) / median(floor):.1f} ×",
        ),
    ]


def _cut(text: str) -> list[list[str]]:
    return [[field.strip() for field in line.split("|")] for line in text.split("\n")]
