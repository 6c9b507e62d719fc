"""Lines are found in an output as a person reads it, whatever is asked for and however long it takes."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.errors import InvalidParams
from descartes_core.plain_text import LONGEST_LINE
from descartes_daemon.line_filter import LineFilter
from descartes_daemon.output_log import OutputLog


def log_of(directory: Path, content: bytes) -> OutputLog:
    directory.mkdir(exist_ok=True)
    (directory / "output.log").write_bytes(content)
    return OutputLog(directory)


def all_of(log: OutputLog, expression: str, limit: int = 65_536) -> list[tuple[int, str]]:
    """Look as a client does: on from where the last answer ended."""
    found, offset = LineFilter(expression), 0
    lines: list[tuple[int, str]] = []
    while offset < log.size:
        gap = log.gap(offset)
        if gap is not None:
            offset = gap.end
            continue
        piece = found.look(log, offset, limit)
        assert piece.next_offset > offset or piece.is_unfinished
        lines += [tuple(line) for line in piece.lines]
        if piece.is_unfinished:
            break
        offset = piece.next_offset
    return lines


def test_lines_are_found_where_they_begin(tmp_path: Path) -> None:
    log = log_of(tmp_path, b"one\r\ntwo\r\nthree\r\n")
    assert all_of(log, "^t") == [(5, "two"), (10, "three")]


def test_control_sequences_are_no_part_of_a_line(tmp_path: Path) -> None:
    log = log_of(tmp_path, "\x1b[31mżółw\x1b[0m\r\n50%\r100%\r\n".encode())
    assert all_of(log, "^żółw$|^100%$") == [(0, "żółw"), (18, "100%")]


def test_the_last_line_of_who_has_ended_needs_no_end(tmp_path: Path) -> None:
    assert all_of(log_of(tmp_path, b"one\ntwo"), "two") == [(4, "two")]


def test_half_a_line_is_waited_for(tmp_path: Path) -> None:
    log = log_of(tmp_path, b"one\ntw")
    log.is_ended = False
    assert LineFilter("tw").look(log, 0, 100).next_offset == 4
    rest = LineFilter("tw").look(log, 4, 100)
    assert (rest.lines, rest.next_offset, rest.is_unfinished) == ([], 4, True)


def test_a_line_before_a_gap_is_whole(tmp_path: Path) -> None:
    log = log_of(tmp_path, b"before" + b"\0" * 94 + b"after\n")
    log.gaps.put(6, 100)
    assert all_of(log, ".") == [(0, "before"), (100, "after")]


def test_a_line_longer_than_the_limit_is_one_line(tmp_path: Path) -> None:
    log = log_of(tmp_path, b"short\n" + b"x" * 5000 + b"\nshort\n")
    assert [len(text) for _, text in all_of(log, ".", limit=10)] == [5, 5000, 5]


def test_output_without_line_ends_is_looked_through_all_the_same(tmp_path: Path) -> None:
    log = log_of(tmp_path, b"x" * (LONGEST_LINE * 2 + 10) + b"needle")
    log.is_ended = True
    assert [offset for offset, _ in all_of(log, "needle", limit=1000)] == [LONGEST_LINE * 2]


@pytest.mark.parametrize("expression", ["(", "a**", "(?=x)", r"\1", "[z-a]", "x{1001}"])
def test_what_re2_does_not_know_is_refused(expression: str) -> None:
    with pytest.raises(InvalidParams, match="filter"):
        LineFilter(expression)


def test_no_expression_takes_for_ever(tmp_path: Path) -> None:
    """Python's re would look for years at this."""
    log = log_of(tmp_path, b"a" * 60_000 + b"!\n")
    began = time.monotonic()
    assert all_of(log, "(a+)+$|(a|a)*b") == []
    assert time.monotonic() - began < 10


@given(st.lists(st.text("ab ż", max_size=8), max_size=20), st.integers(1, 50), st.booleans())
def test_whatever_the_limit_the_lines_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], limit: int, ends: bool
) -> None:
    content = "\n".join(lines) + "\n" * ends
    log = log_of(tmp_path_factory.getbasetemp() / "filtered", content.encode())
    wanted = [line for line in content.splitlines() if re.search("a b|ż", line)]
    assert [text for _, text in all_of(log, "a b|ż", limit)] == wanted


@given(st.binary(max_size=300), st.integers(1, 50))
def test_any_bytes_can_be_looked_through(tmp_path_factory: pytest.TempPathFactory, content: bytes, limit: int) -> None:
    log = log_of(tmp_path_factory.getbasetemp() / "any", content)
    for offset, text in all_of(log, ".", limit):
        assert 0 <= offset < len(content)
        assert "\n" not in text
