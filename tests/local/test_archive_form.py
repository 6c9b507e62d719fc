"""What a part may be called, and which holes are kept."""

from __future__ import annotations

import pytest

from descartes_local.archive_form import MOST_EXTENTS, PART, SHORTEST_HOLE, Extent, joined, sparse_map
from tests.support.archives import AGENT


@pytest.mark.parametrize("name", ["output.log", "output.idx", "output.gaps", "errors.log", "output.cold"])
def test_what_agents_said_has_a_place(name: str) -> None:
    assert PART.fullmatch(f"agents/{AGENT}/{name}")


@pytest.mark.parametrize(
    "name",
    [
        "../state.db",
        "/etc/passwd",
        f"agents/{AGENT}/../output.log",
        f"agents/{AGENT}/output/../../x",
        f"agents/{AGENT}/.output",
        f"agents/{AGENT}/marks",
        "agents/../output.log",
        f"agents/{AGENT.upper()}/output.log",
        f"agents/{AGENT}/output.log\n",
        "config.toml",
    ],
)
def test_nothing_else_has(name: str) -> None:
    assert PART.fullmatch(name) is None


def test_short_holes_are_written_as_zeros() -> None:
    near, far = Extent(20, 5), Extent(25 + SHORTEST_HOLE, 1)
    assert joined([Extent(0, 10), near, far]) == [Extent(0, 25), far]


def test_a_file_in_very_many_pieces_has_longer_holes() -> None:
    many = [Extent(number * 2 * SHORTEST_HOLE, SHORTEST_HOLE) for number in range(MOST_EXTENTS + 1)]
    found = joined(many)
    assert len(found) == 1
    assert sum(found[0]) == sum(many[-1])


def test_the_map_of_holes_fills_whole_blocks() -> None:
    assert sparse_map([Extent(512, 3)]).rstrip(b"\0") == b"1\n512\n3\n"
    assert len(sparse_map([Extent(0, 1)] * 300)) % 512 == 0
