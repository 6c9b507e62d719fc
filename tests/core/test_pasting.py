"""What is pasted is text, and stays a paste."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.pasting import is_key, pasted

BEGIN, END = b"\x1b[200~", b"\x1b[201~"


@pytest.mark.parametrize(
    ("text", "plain", "bracketed"),
    [
        ("", b"", b""),
        ("hello", b"hello", BEGIN + b"hello" + END),
        ("größe 🦊\t", "größe 🦊\t".encode(), BEGIN + "größe 🦊\t".encode() + END),
        ("one\ntwo\r\nthree\rfour", b"one\rtwo\rthree\rfour", BEGIN + b"one\ntwo\nthree\nfour" + END),
        ("a\x1b[201~rm -rf\n", b"a[201~rm -rf\r", BEGIN + b"a[201~rm -rf\n" + END),
        ("a\x9b201~b", b"a201~b", BEGIN + b"a201~b" + END),
        ("a\udc9b201~b", b"a201~b", BEGIN + b"a201~b" + END),
        ("\x03\x04\x00\x7f\x1b", b"", b""),
    ],
)
def test_a_paste_is_text_in_brackets_where_they_are_asked_for(text: str, plain: bytes, bracketed: bytes) -> None:
    assert pasted(text, bracketed=False) == plain
    assert pasted(text, bracketed=True) == bracketed


@given(st.text(alphabet=st.characters()) | st.from_regex(r"(\x1b\[20[01]~|\x9b201~|.)*", fullmatch=True))
def test_nothing_breaks_out_of_the_brackets(text: str) -> None:
    found = pasted(text, bracketed=True)
    inside = found.removeprefix(BEGIN).removesuffix(END)
    assert found in (b"", BEGIN + inside + END)
    assert not {code for code in inside.decode() if ord(code) < 32 or 127 <= ord(code) < 160} - {"\n", "\t"}
    assert pasted(text, bracketed=False) == inside.replace(b"\n", b"\r")


@pytest.mark.parametrize(
    "key", ["\x03", "\r", "\n", "\x1b", "\x7f", "\x1b[A", "\x1bOP", "\x1b[1;5C", "\x1b[15~", "\x1bx"]
)
def test_a_key_is_no_text(key: str) -> None:
    assert is_key(key)


@pytest.mark.parametrize("text", ["", "a", "ls\n", "\x03\x03", "\x1b[Ax", "\x1b[200~", "\x1b[", "a\x1b[A"])
def test_a_text_is_no_key(text: str) -> None:
    assert not is_key(text)
