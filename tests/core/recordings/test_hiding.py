from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from descartes_core.recordings.hiding import Hiding
from descartes_core.recordings.moments import Moment
from descartes_core.redactor import Rules

SECRET = "zQ9-vW8_xY7kL3mN5pQ2"
RULES = Rules([SECRET])

pieces = st.lists(
    st.sampled_from(
        [
            b"the cat ",
            b"\n",
            b"\r\n",
            b"\r",
            b"token=",
            b"\x1b[1m",
            b"\x1b[0;31m",
            b"\x1b[2;5H",
            b"\x1b]0;a title\x07",
            b"\x08",
            SECRET.encode(),
            b"\xc3\xa9",
            b"\xff",
            b"\x1b",
            b"\x1b[",
            b" ",
            b"\x1b[3C",
            b"\x1b[K",
            b"x",
            b"\x1b]8;;",
            b"\x9b",
        ]
    ),
    max_size=40,
).map(b"".join)


def hidden(*moments: Moment, rules: Rules = RULES) -> list[Moment]:
    hiding = Hiding(rules)
    told = [one for moment in moments for one in hiding.feed(moment)]
    return [*told, *hiding.rest()]


def said(data: bytes, *cuts: int) -> bytes:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    moments = [Moment(float(n), "out", data[a:b]) for n, (a, b) in enumerate(pairwise(edges))]
    return b"".join(one.data for one in hidden(*moments))


@given(pieces, st.lists(st.integers(0, 300), max_size=8))
@example(b"\x1b" + SECRET.encode(), [])
@example(b"\x1b[" + SECRET.encode() + b"\n", [1, 2, 3, 9])
def test_however_it_is_cut_the_output_is_the_same_without_its_secrets(data: bytes, cuts: list[int]) -> None:
    told = said(data, *cuts)
    assert SECRET.encode() not in told
    if SECRET.encode() not in data and b"token=" not in data:
        assert told == data


@pytest.mark.parametrize(
    "shown",
    [
        f"say {SECRET}\r\n",
        f"say {SECRET[:5]}\x1b[1m{SECRET[5:9]}\x1b[0m{SECRET[9:]}\r\n",
        f"say {SECRET[:5]}\x1b]8;;http://h\x1b\\{SECRET[5:]}\x1b]8;;\x1b\\\r\n",
        f"say {SECRET[:5]} \r{SECRET[5:]}\r\n",
        f"say {SECRET[:5]}XY\b \b\b \b{SECRET[5:]}\r\n",
        f"say {SECRET}" + "\b \b" * len(SECRET) + "\r\n",
        f"say {SECRET}\r\x1b[Knothing\r\n",
        f"say {SECRET}",
        f"\x1b]0;{SECRET}\x07say \r\n",
        f"\x1b[3;4Hsay {SECRET}\x1b[4;4Hmore\r\n",
    ],
)
def test_a_secret_is_found_through_colours_cuts_and_corrections(shown: str) -> None:
    data = shown.encode()
    for told in (said(data), said(data, *range(len(data)))):
        assert b"say " in told
        assert b"***" in told
        for length in (6, len(SECRET)):
            assert SECRET[-length:].encode() not in told
            assert SECRET[:length].encode() not in told


@pytest.mark.parametrize("begins", ["\x1b", "\x1b[", "\x1b[1;", "\x1b(", "\x1b]", "\x1bP", "\x9b", "\x1b[1m\x1b"])
@pytest.mark.parametrize("first", ["z", "E", "H", "[", "1234567;8m", "12\u00e9", "]", "C"])
def test_a_secret_is_found_whose_beginning_a_terminal_takes_for_a_sequence(begins: str, first: str) -> None:
    secret = first + SECRET
    data = f"say {begins}{secret} x\r\nmore\r\n".encode()
    for cuts in ((), range(len(data)), (5,), (6,), (7, 9)):
        edges = [0, *cuts, len(data)]
        moments = [Moment(float(n), "out", data[a:b]) for n, (a, b) in enumerate(pairwise(edges))]
        told = b"".join(one.data for one in hidden(*moments, rules=Rules([secret])))
        assert SECRET.encode() not in told
        assert b"***" in told
        assert told.startswith(b"say ")
        assert told.endswith(b"more\r\n")


def test_each_moment_keeps_its_time_and_what_else_happened_its_place() -> None:
    moments = [
        Moment(1.0, "out", b"a sec"),
        Moment(2.0, "size", size=(30, 100)),
        Moment(3.0, "out", f"ret: {SECRET[:8]}".encode()),
        Moment(4.0, "mark", text="here"),
        Moment(5.0, "out", f"{SECRET[8:]} b".encode()),
        Moment(6.0, "out", b"\nc\xc3"),
        Moment(7.0, "out", b"\xa9"),
    ]
    assert hidden(*moments) == [
        moments[0],
        moments[1],
        Moment(3.0, "out", b"ret: ***"),
        moments[3],
        Moment(5.0, "out", b" b"),
        Moment(6.0, "out", b"\nc"),
        Moment(7.0, "out", "é".encode()),
    ]


def test_what_is_typed_key_by_key_is_one_line() -> None:
    moments = [Moment(float(n), "in", bytes([key])) for n, key in enumerate(f"echo {SECRET}\rnext".encode())]
    assert b"".join(one.data for one in hidden(*moments)) == b"echo ***\rnext"


def test_the_lines_of_a_private_key_are_hidden_in_colour_too() -> None:
    data = (
        b"\x1b[1m-----BEGIN PRIVATE KEY-----\x1b[0m\r\nabcd\x1b[1mEFGH1234\r\n-----END PRIVATE KEY-----\r\nafter it\r\n"
    )
    for told in (said(data), said(data, 40, 50, 60)):
        assert b"EFGH" not in told
        assert b"abcd" not in told
        assert told.endswith(b"-----END PRIVATE KEY-----\r\nafter it\r\n")


@pytest.mark.parametrize("noise", [b"x", b"x\b", b"\x1b[1m", b"x ", b"\b|\b/", b"\x1b]0;"])
def test_lines_without_an_end_take_a_bounded_memory(noise: bytes) -> None:
    hiding = Hiding(RULES)
    data = noise * (4096 // len(noise))
    sent = told = most = 0
    for number in range(150):
        sent += len(data)
        told += sum(len(one.data) for one in hiding.feed(Moment(float(number), "out", data)))
        most = max(most, sent - told)
    assert most < 300_000
    assert told + sum(len(one.data) for one in hiding.rest()) == sent


def test_a_secret_is_found_where_a_long_line_is_given_up() -> None:
    for place in (1, 57_000, 57_340, 65_530, 65_536, 100_000):
        data = b"y" * (place - 1) + b" " + SECRET.encode() + b" " + b"z " * 60_000 + b"\r\nend"
        for told in (said(data), said(data, *range(0, len(data), 777))):
            assert b"***" in told
            assert SECRET[:8].encode() not in told
            assert SECRET[-8:].encode() not in told
            assert told.endswith(b"z \r\nend")


def test_a_gap_ends_what_was_held_back() -> None:
    gap = Moment(2.0, "gap", text="dropped")
    assert hidden(Moment(1.0, "out", b"abc\xc3"), gap, Moment(3.0, "out", b"d")) == [
        Moment(1.0, "out", b"abc\xc3"),
        gap,
        Moment(3.0, "out", b"d"),
    ]
