from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from descartes_core.plain_text import PlainText
from descartes_daemon.search.strip import cleaned, cut, is_painted, texts

ANYTHING = st.lists(
    st.sampled_from(
        [
            b"\x1b[31m",
            b"\x1b[0m",
            b"\x1b]0;title\x07",
            b"\x1b[2K",
            b"\x1b[3A",
            b"\x1b[H",
            b"\x1b[5C",
            b"\r",
            b"\r\n",
            b"\n",
            b"\x08",
        ]
    )
    | st.binary(max_size=6)
).map(b"".join)


def said(block: bytes) -> list[bytes]:
    return [text.text for text in texts(cleaned(block))]


def test_colours_titles_and_links_say_nothing() -> None:
    assert said(b"\x1b[1;31mred\x1b[0m \x1b]0;title\x07\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\r\n\x1b(Bb") == [
        b"red link",
        b"b",
    ]


def test_moves_to_other_places_end_a_text() -> None:
    assert said(b"one\x1b[3;1Htwo\rthree\x1b[A\x1b[5Cfour") == [b"one", b"two", b"three", b" four"]


def test_what_is_rubbed_out_is_not_there() -> None:
    assert said(b"N\x08NA\x08A teh\x08\x08\x08the") == [b"NA the"]


def test_lines_keep_their_order_and_empty_ones_end_lines() -> None:
    assert said(b"a\r\n\r\nb\n") == [b"a", b"", b"b"]
    assert not is_painted(cleaned(b"a\r\n\r\nb\n"))


@given(ANYTHING)
def test_any_bytes_are_read_and_leave_no_control(block: bytes) -> None:
    for text in texts(cleaned(block)):
        assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", text.text)


@given(st.lists(st.text(st.characters(codec="ascii", min_codepoint=32, max_codepoint=126)), max_size=5))
def test_plain_lines_are_what_a_terminal_shows(lines: list[str]) -> None:
    block = "\x1b[1m\r\n".join(lines).encode()
    shown = PlainText()
    assert b"\n".join(said(block)).decode().split("\n") == (shown.feed(block) + shown.rest()).removesuffix("\n").split(
        "\n"
    )


@given(st.binary(max_size=300), st.integers(8, 64), st.booleans())
def test_blocks_are_all_there_is_in_order(data: bytes, most: int, at_end: bool) -> None:
    at = 0
    while at < len(data):
        step = cut(data[at : at + most + 4], most, at_end=at_end and at + most >= len(data))
        if not step:
            assert not at_end
            assert b"\n" not in data[at:]
            return
        assert 0 < step <= most
        at += step
    assert at == len(data)


def test_no_character_is_cut() -> None:
    data = "ü€🙂".encode() * 20
    for most in range(8, 20):
        data[: cut(data[: most + 4], most, at_end=False)].decode()
