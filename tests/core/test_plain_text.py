from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.plain_text import LONGEST_LINE, PlainText


def said(*pieces: bytes) -> str:
    plain = PlainText()
    return "".join(plain.feed(piece) for piece in pieces) + plain.rest()


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (b"one\r\ntwo\r\n", "one\ntwo\n"),
        (b"one\r\r\ntwo", "one\ntwo"),
        (b"\x1b[1;31mred\x1b[0m\x1b[K plain\n", "red plain\n"),
        (b"\x1b]0;title\x07text\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\n", "textlink\n"),
        (b"\x1bP1$r q\x1b\\after\n", "after\n"),
        (b"\x1b(B\x1b=\x1b>\x1b7text\x1b8\n", "text\n"),
        (b" 10%\r 20%\r100%\r\n", "100%\n"),
        (b"hello\rJ\n", "Jello\n"),
        (b"abc\b\bX\n", "aXc\n"),
        (b"lss\b\x1b[K -l\r\n", "ls -l\n"),
        (b"a\x1b[3Cb\x1b[1Gc\x1b[2DX\n", "X   b\n"),
        (b"old line\x1b[2K\rnew\n", "new\n"),
        (b"abcdef\x1b[3D\x1b[1K\n", "    ef\n"),
        (b"up\x1b[Adown\x1b[5;1Hthere\n", "up\ndown\nthere\n"),
        (b"text\x1b[H\x1b[2Jcleared\n", "text\ncleared\n"),
        (b"bell\x07 nul\x00 del\x7f tab\t|\n", "bell nul del tab\t|\n"),
        (b"\x1b[12\n34m\n", "\n34m\n"),
        (b"\x1b\x1b[1mbold\n", "bold\n"),
        (b"\x1b#\n8\n", "\n8\n"),
        ("żółw 🐢\u009b1mC1\u009d0;t\u009c.\n".encode(), "żółw 🐢C1.\n"),
        (b"bad \xff\xc3\n", "bad \ufffd\ufffd\n"),
        (b"unfinished \x1b[", "unfinished "),
    ],
)
def test_text_is_what_a_terminal_shows(output: bytes, text: str) -> None:
    assert said(output) == text


_BYTES = st.lists(
    st.one_of(
        st.sampled_from(
            [b"\x1b", b"[", b"]", b"\x07", b"\r", b"\n", b"\b", b"K", b"2", b"A", b"G", b";", b"\xc2\x9b", b"\xf0\x9f"]
        ),
        st.binary(max_size=8),
        st.text(max_size=8).map(str.encode),
        st.sampled_from([b"1" * 999, b"1" * 1001, b" " * 1001, b"x" * LONGEST_LINE]),
    ),
    max_size=40,
).map(b"".join)


@given(output=_BYTES, cuts=st.lists(st.integers(min_value=0, max_value=400)))
def test_any_split_gives_the_same_text(output: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(output)) for cut in cuts), len(output)]
    assert said(*(output[a:b] for a, b in itertools.pairwise(edges))) == said(output)


@given(output=_BYTES)
def test_no_control_character_is_left(output: bytes) -> None:
    assert not [char for char in said(output) if (char < " " and char not in "\n\t") or "\x7f" <= char <= "\x9f"]


@given(lines=st.lists(st.text(alphabet=st.characters(min_codepoint=32, blacklist_categories=["Cc", "Cs"]))))
def test_plain_lines_pass_unchanged(lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    assert said(text.replace("\n", "\r\n").encode()) == text


def test_an_unfinished_line_goes_on_after_it_was_handed_over() -> None:
    plain = PlainText()
    assert plain.feed(b"$ ") == ""
    assert plain.rest() == "$ "
    assert plain.rest() == ""
    assert plain.feed(b"ls\r\n") == "ls\n"


def test_what_was_handed_over_is_not_glued_to_what_writes_over_it() -> None:
    plain = PlainText()
    assert plain.feed(b"50%") + plain.rest() == "50%"
    assert plain.feed(b"\r60%\r\n") == "\n60%\n"


def test_a_string_without_end_costs_no_memory() -> None:
    plain = PlainText()
    plain.feed(b"\x1b]0;")
    for _ in range(100):
        assert plain.feed(b"x" * 100_000) == ""
    assert plain.feed(b"\x07text\n") == "text\n"


def test_a_line_without_end_is_handed_over_in_parts() -> None:
    plain = PlainText()
    assert plain.feed(b"x" * (LONGEST_LINE + 1)) == "x" * LONGEST_LINE
    assert plain.rest() == "x"


def test_a_flood_is_read_in_reasonable_time() -> None:
    """Not a bound on speed, but on its order: no cost that grows with what was read before."""
    plain, piece = PlainText(), b"\x1b[32mline of output\x1b[0m\r\n" * 10_000
    began = time.process_time()
    for _ in range(4):
        plain.feed(piece)
    assert time.process_time() - began < 20
