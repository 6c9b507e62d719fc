"""A recording is what asciinema's format says, however the output was cut."""

from __future__ import annotations

import itertools
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from descartes_core.asciicast import Recording


def events(*lines: str) -> list[Any]:
    return [json.loads(line) for line in "".join(lines).split("\n") if line]


def test_the_header_tells_size_and_time() -> None:
    assert json.loads(Recording(120, 40, 1000.75, "fixer").header()) == {
        "version": 2,
        "width": 120,
        "height": 40,
        "timestamp": 1000,
        "title": "fixer",
    }
    assert "title" not in Recording(80, 24, 0).header()


def test_pieces_have_the_seconds_since_the_beginning() -> None:
    recording = Recording(80, 24, 1000.0)
    lines = recording.said(1000.5, b"one"), recording.said(1002.25, "żółw\r\n".encode())
    assert events(*lines) == [[0.5, "o", "one"], [2.25, "o", "żółw\r\n"]]


def test_a_character_that_is_cut_waits_for_its_end() -> None:
    recording = Recording(80, 24, 0.0)
    whole = "🐢".encode()
    assert recording.said(1, b"a" + whole[:2]) == '[1.0, "o", "a"]\n'
    assert recording.said(2, whole[2:3]) == ""
    assert recording.said(3, whole[3:]) == '[3.0, "o", "🐢"]\n'


def test_half_a_character_at_the_end_is_told_as_such() -> None:
    recording = Recording(80, 24, 0.0)
    recording.said(1, "🐢".encode()[:2])
    assert events(recording.ended(2)) == [[2.0, "o", "\ufffd"]]
    assert recording.ended(3) == ""


def test_only_another_size_is_told() -> None:
    recording = Recording(80, 24, 0.0)
    assert recording.resized(1, 80, 24) == ""
    assert events(recording.resized(2, 120, 40)) == [[2.0, "r", "120x40"]]


def test_a_marker_parts_what_was_before() -> None:
    recording = Recording(80, 24, 0.0)
    recording.said(1, "🐢".encode()[:1])
    assert events(recording.marked(2, "a gap")) == [[2.0, "o", "\ufffd"], [2.0, "m", "a gap"]]
    assert events(recording.said(3, b"x")) == [[3.0, "o", "x"]]


def test_a_clock_that_was_set_back_makes_no_time_go_back() -> None:
    recording = Recording(80, 24, 100.0)
    lines = recording.said(105, b"a"), recording.said(50, b"b"), recording.said(106, b"c")
    assert [event[0] for event in events(*lines)] == [5.0, 5.0, 6.0]


@given(st.text(max_size=60), st.lists(st.integers(0, 200), max_size=8))
def test_however_it_is_cut_the_text_is_the_same(text: str, cuts: list[int]) -> None:
    data, recording = text.encode("utf-8", "replace"), Recording(80, 24, 0.0)
    bounds = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[begin:end] for begin, end in itertools.pairwise(bounds)]
    told = events(*(recording.said(1, piece) for piece in pieces), recording.ended(1))
    assert "".join(event[2] for event in told) == data.decode()


@given(st.lists(st.binary(max_size=20)))
def test_any_bytes_are_lines_of_json(pieces: list[bytes]) -> None:
    recording = Recording(80, 24, 0.0)
    for event in events(*(recording.said(1, piece) for piece in pieces), recording.ended(2)):
        assert event[1] == "o"
