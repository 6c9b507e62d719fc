"""Finding workspaces among 20,000 directories."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from descartes_orchestrator.discovery import find
from tests.bench.figures import Figure, interleaved, median, ms

ROUNDS = 10


def measure() -> list[Figure]:
    """Scan beside `find -name .scud`, as deep."""
    with tempfile.TemporaryDirectory(prefix="d", dir="/tmp") as directory:
        root = Path(directory)
        count = _plant(root)
        command = ["find", directory, "-maxdepth", "4", "-name", ".scud"]
        ours, floor = interleaved(
            ROUNDS, lambda: find([root], 3), lambda: subprocess.run(command, check=True, capture_output=True)
        )
        assert len(find([root], 3).workspaces) == 20
    return [
        Figure(
            f"workspaces found among {count:,} directories",
            ms(ours),
            f"`find -name .scud` {ms(floor)}",
            "no slower",
            f"{median(ours) / median(floor):.2f} ×",
        )
    ]


def _plant(root: Path) -> int:
    count = 0
    for outer in range(20):
        for middle in range(20):
            for inner in range(49):
                (root / f"a{outer}" / f"b{middle}" / f"c{inner}").mkdir(parents=True)
            count += 50
        (root / f"a{outer}" / "b0" / ".scud").mkdir()
        count += 1
    return count
