"""What is made after the holes are filled lies together."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: One hole on each page or so, then a hundred new blocks.
PAGES = """
import sys
from descartes_orchestrator.fork_server.holes import fill_holes
size, apart = map(int, sys.argv[1:])
kept = [bytes(size) for _ in range(400 * apart)]
del kept[::apart]
if "fill" in sys.stdin.read():
    fill_holes()
made = [bytes(size) for _ in range(100)]
print(len({id(block) >> 12 for block in made}))
"""


def pages(size: int, apart: int, *, fill: bool) -> int:
    """Return on how many pages a hundred new blocks lie."""
    done = subprocess.run(
        [sys.executable, "-c", PAGES, str(size), str(apart)],
        input="fill" if fill else "",
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="nothing is forked elsewhere")
@pytest.mark.parametrize(("size", "apart"), [(64, 40), (400, 10), (700, 6)])
def test_new_things_lie_side_by_side(size: int, apart: int) -> None:
    needed = 100 * (size + 64) // 4096
    assert pages(size, apart, fill=False) > 1.2 * needed + 20
    assert pages(size, apart, fill=True) <= 1.2 * needed + 4
