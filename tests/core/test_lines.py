from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.errors import TooLarge
from descartes_core.lines import Lines

_SHORT = st.binary(max_size=12).map(lambda line: line.replace(b"\n", b""))


def all_of(lines: Lines) -> list[bytes | None]:
    """Return what can be taken now; None stands for a line that was too long."""
    found: list[bytes | None] = []
    while True:
        try:
            line = lines.next()
        except TooLarge:
            found.append(None)
            continue
        if line is None:
            return found
        found.append(line)


@given(st.lists(_SHORT, max_size=8), st.lists(st.integers(1, 9)))
def test_however_it_is_cut_the_lines_are_the_same(said: list[bytes], cuts: list[int]) -> None:
    lines, found = Lines(8), []
    whole = b"".join(line + b"\n" for line in said) + b"rest"
    for size in [*cuts, len(whole) + 1]:
        lines.feed(whole[:size])
        whole = whole[size:]
        found += all_of(lines)
    assert found == [line if len(line) <= 8 else None for line in said]
    assert lines.rest() == b"rest"
    assert len(lines) == 0


def test_a_line_without_end_is_not_kept() -> None:
    lines = Lines(10)
    for _ in range(100):
        lines.feed(b"x" * 5)
        all_of(lines)
        assert len(lines) <= 10
    lines.feed(b"\nnext\n")
    assert all_of(lines) == [b"next"]


def test_a_line_that_is_too_long_is_told_once() -> None:
    lines = Lines(3)
    lines.feed(b"abcd")
    with pytest.raises(TooLarge, match="3 bytes"):
        lines.next()
    assert lines.next() is None
    lines.feed(b"efgh")
    assert lines.next() is None
