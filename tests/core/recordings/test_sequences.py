from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.recordings.sequences import Sequences

parts = st.lists(
    st.sampled_from(
        ["a", "é", "\x1b", "[", "]", "0;", "1", "m", "\x07", "\\", "\n", "\x9b", "\x90", "P", " ", "(B", "\x18"]
    )
)


@given(parts, st.lists(st.integers(0, 60)))
def test_all_tokens_together_are_the_text(found: list[str], cuts: list[int]) -> None:
    text = "".join(found)
    sequences = Sequences()
    told, done = "", 0
    for cut in (*sorted(cuts), len(text)):
        told += "".join(token.text for token in sequences.feed(text[done:cut]))
        done = max(done, min(cut, len(text)))
    assert told + sequences.rest() == text


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("ab\x1b[1;31mcd\r\n", ["text", "csi", "text", "control", "control"]),
        ("\x1b]0;title\x07x", ["string", "text"]),
        ("\x1b]0;title\x1b\\x", ["string", "text"]),
        ("\x1b]0;title\x1b[1mx", ["string", "csi", "text"]),
        ("\x1b7\x1b(Bx", ["escape", "escape", "text"]),
        ("\x1b[1\nx", ["control", "control", "text"]),
        ("\x9b1m", ["csi"]),
    ],
)
def test_each_is_known_for_what_it_is_also_cut_everywhere(text: str, kinds: list[str]) -> None:
    assert [token.kind for token in Sequences().feed(text)] == kinds
    sequences = Sequences()
    tokens = [token for character in text for token in sequences.feed(character)]
    assert [token for token in tokens if token.kind != "text"] == [
        token for token in Sequences().feed(text) if token.kind != "text"
    ]


def test_a_string_without_an_end_is_handed_over_in_parts() -> None:
    sequences = Sequences()
    tokens = [token for _ in range(100) for token in sequences.feed("\x1b]52;" if _ == 0 else "x" * 4096)]
    assert sum(len(token.text) for token in tokens) + len(sequences.rest()) == 5 + 99 * 4096
    assert {token.kind for token in tokens} == {"string"}
