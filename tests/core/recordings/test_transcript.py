from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.recordings.forms import form
from descartes_core.recordings.moments import Moment
from descartes_core.recordings.transcript import html_of
from descartes_core.redactor import Rules


def text(*said: str | bytes, rows: int = 5, cols: int = 20, rules: Rules | None = None, name: str = "text") -> str:
    made = form(name, "it", "id", 0.0, rules)  # type: ignore[arg-type]
    told = made.take(Moment(0.0, "size", size=(rows, cols)))
    for one in said:
        told += made.take(Moment(1.0, "out", one if isinstance(one, bytes) else one.encode()))
    return told + made.end()


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        ("one\r\ntwo\r\n", "one\ntwo\n"),
        ("1%\r2%\r3%\r\n", "3%\n"),
        ("a line that is longer than the row\r\n", "a line that is longer than the row\n"),
        ("one\r\ntwo\x1b[1A\rsix\r\n", "six\ntwo\n"),
        ("one\x1b[2D\x1b[Kx\r\n", "ox\n"),
        ("one\r\n\x1b[31mtwo\x1b[0m\x1b]0;title\x07\r\n", "one\ntwo\n"),
        ("\x1b[?1049h\x1b[2;3Hfull\x1b[?1049lback\r\n", "\n  full\nback\n"),
        ("\x1b[2;4r\x1b[4;1Ha\nb\nc\r\n", "\n b\n  c\n"),
        ("日本\b\bx\r\n", "日x\n"),
        ("e\u0301a\r\n", "e\u0301a\n"),
        ("\x1b(0lqk\x1b(B\r\n", "┌─┐\n"),
        ("ab\x1b[3bc\r\n", "abbbbc\n"),
        ("abc\x1b[1G\x1b[2Pd\x1b[1@\r\n", "d\n"),
        ("", ""),
    ],
)
def test_it_has_the_lines_that_were_there_in_the_end(said: str, seen: str) -> None:
    assert text(said) == seen
    assert text(*said) == seen


def test_lines_that_leave_the_screen_stay_in_it() -> None:
    assert text("".join(f"{number}\r\n" for number in range(100))) == "".join(f"{number}\n" for number in range(100))


def test_a_screen_that_is_painted_again_and_again_is_there_once() -> None:
    screens = [f"\x1b[H\x1b[2Jhead\r\nsame\r\n{number}" for number in range(1000)]
    assert text(*screens) == "head\nsame\n999\n"
    assert text("\x1b[2J\x1b[Hone\r\ntwo", "\x1b[2J\x1b[Hthree\r\nfour") == "one\ntwo\nthree\nfour\n"


def test_what_is_drawn_anew_is_looked_through_once_more() -> None:
    painted = "\x1b[1;6Hsecret-value\x1b[1;1Hkey="
    assert text(painted, rules=Rules(["key= secret"])) == "***-value\n"
    page = text("\x1b[1msecret\x1b[0m-\x1b[31mvalue\x1b[0m.\r\n", rules=Rules(["secret-value"]), name="html")
    assert "secret" not in page
    assert page.count("***") == 1


def test_a_gap_is_told_where_it_was() -> None:
    made = form("text", "it", "id", 0.0, None)
    told = made.take(Moment(0.0, "out", b"before\r\n")) + made.take(Moment(1.0, "gap", text="5 bytes are gone"))
    assert told + made.take(Moment(2.0, "out", b"after\r\n")) + made.end() == "before\n[5 bytes are gone]\nafter\n"


@given(
    st.lists(
        st.sampled_from(
            [
                "\x1b[",
                "1",
                ";",
                "H",
                "J",
                "2",
                "K",
                "L",
                "M",
                "r",
                "a",
                "日",
                "\n",
                "\r",
                "\x1b[?1049h",
                "\x1b[?1049l",
                "\x1bM",
                "S",
                "T",
                "\x1b7",
                "\x1b8",
                "\b",
                "\t",
                "\u0301",
                "P",
                "@",
                "m",
                "38",
                "5",
                "\x1bc",
                "9999",
            ]
        ),
        max_size=60,
    ).map("".join),
    st.integers(1, 6),
    st.integers(1, 6),
)
def test_no_output_breaks_it(said: str, rows: int, cols: int) -> None:
    made = form("html", "it", "id", 0.0, None)
    told = made.take(Moment(0.0, "size", size=(5, 20))) + made.take(Moment(0.0, "out", said.encode()))
    told += (
        made.take(Moment(0.0, "size", size=(rows, cols))) + made.take(Moment(0.0, "out", said.encode())) + made.end()
    )
    assert told.count("<pre") == told.count("</pre>")
    assert told.count("<span") == told.count("</span>")


def test_colours_are_those_of_the_terminal_or_exact() -> None:
    page = text("\x1b[91;4mx\x1b[38;5;196my\x1b[0;48;2;1;2;3mz\x1b[7mw\x1b[0;8mv\r\n", name="html")
    assert '<span class="u" style="color:var(--c9)">x</span>' in page
    assert "light-dark(#ff0000,#ff0000)" in page
    assert "background:#010203;color:#fff" in page
    assert "color:transparent" in page


def test_a_few_bytes_that_scroll_much_away_take_little_memory() -> None:
    page = html_of("agent", None)
    page.take(Moment(0.0, "size", size=(1000, 1)))
    tracemalloc.start()
    try:
        told = page.take(Moment(1.0, "out", b"\x1b[9999S" * 100))
        assert tracemalloc.get_traced_memory()[1] < 6_000_000
    finally:
        tracemalloc.stop()
    assert told.count("\n") >= 99_000
