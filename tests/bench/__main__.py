"""Run the benches that are named, or all, and print their table."""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path

from tests.bench.figures import Figure, machine, table

BENCHES = (
    "cold_start",
    "forked_start",
    "ps",
    "history",
    "scan",
    "round_trip",
    "first_output",
    "transitions",
    "state",
    "listeners",
    "renames",
    "flood",
    "search",
    "no_tty",
    "cold_logs",
    "semantic",
    "idle",
    "health",
    "memory",
    "screens",
    "attach",
    "remote",
    "bus_flood",
    "bus_idle",
    "limits",
    "hub",
    "hub_many",
    "hooks",
    "scud",
    "tasks",
    "pages",
)
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def main(words: list[str]) -> int:
    """Run and print; `--write` also writes the page, when all were run."""
    write = "--write" in words
    names = [word for word in words if word != "--write"] or list(BENCHES)
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        print(f"no bench {', '.join(unknown)}; there are {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    figures: list[Figure] = []
    for name in names:
        print(f"{name} …", file=sys.stderr, flush=True)
        figures += importlib.import_module(f"tests.bench.{name}").measure()
    print(table(figures))
    if write and set(names) == set(BENCHES):
        PAGE.write_text(page(figures))
    return 0


def page(figures: list[Figure]) -> str:
    """Return docs/benchmarks.md."""
    return (
        "# Benchmarks\n\n"
        "Each figure stands beside a floor that was measured in the same run, in turn with it: on a shared machine "
        "only the comparison counts. `make bench` measures anew and writes this page; no test asserts a time.\n\n"
        f"{time.strftime('%Y-%m-%d')}, {machine()}. Medians.\n\n"
        f"{table(figures)}\n"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
