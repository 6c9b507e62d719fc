from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_cli.terminal_modes import TerminalModes

ALL = (
    b"\x1b[?1049h\x1b[?1h\x1b=\x1b[?25l\x1b[?1000;1006h\x1b[?2004h\x1b[>1u\x1b[>4;2m\x1b[6 q"
    b"\x1b[2;9r\x1b(0\x1b]11;#000\x07\x1b)0\x0e\x1b[4h\x1b]8;id=1;http://h\x1b\\"
)


def taken_back(*pieces: bytes) -> bytes:
    modes = TerminalModes()
    for piece in pieces:
        modes.feed(piece)
    return modes.take_back()


@pytest.mark.parametrize(
    ("output", "back"),
    [
        (b"text", b""),
        (b"\x1b[?25l", b"\x1b[?25h"),
        (b"\x1b[?25l\x1b[?25h", b""),
        (b"\x1b[?7l", b"\x1b[?7h"),
        (b"\x1b[?1049h\x1b[?2004h", b"\x1b[?2004l\x1b[?1049l"),
        (b"\x1b[?1000;1006h", b"\x1b[?1000l\x1b[?1006l"),
        (b"\x1b[>1u\x1b[>5u\x1b[<u", b"\x1b[<1u"),
        (b"\x1b[>1u\x1b[<9u", b""),
        (b"\x1b[=5;1u", b"\x1b[=0u"),
        (b"\x1b[>4;2m", b"\x1b[>4m"),
        (b"\x1b[6 q", b"\x1b[0 q"),
        (b"\x1b[2;9r", b"\x1b[r"),
        (b"\x1b[2;9r\x1b[r", b""),
        (b"\x1b(0", b"\x1b(B"),
        (b"\x1b(0\x1b(B", b""),
        (b"\x1b=", b"\x1b>"),
        (b"\x1b)0\x0e", b"\x1b)B\x0f"),
        (b"\x1b)0\x0e\x0f\x1b)B", b""),
        (b"\x1b[4;20h", b"\x1b[20l\x1b[4l"),
        (b"\x1b[4h\x1b[4l", b""),
        (b"\x1b]8;;http://h\x07link", b"\x1b]8;;\x1b\\"),
        (b"\x1b]8;;http://h\x07link\x1b]8;;\x07", b""),
        (b"\x1b]11;#000000\x07", b"\x1b]111\x07"),
        (b"\x1b[?2026h", b""),
        (ALL + b"\x1bc", b""),
    ],
)
def test_what_was_changed_is_taken_back(output: bytes, back: bytes) -> None:
    assert taken_back(output) == back + b"\x1b[0m"


@given(cuts=st.lists(st.integers(min_value=0, max_value=len(ALL))))
def test_any_split_is_understood(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(ALL)]
    assert taken_back(*(ALL[a:b] for a, b in itertools.pairwise(edges))) == taken_back(ALL)


@given(output=st.binary())
def test_no_output_breaks_it(output: bytes) -> None:
    assert taken_back(output, b"\x1b[", output).endswith(b"\x1b[0m")
