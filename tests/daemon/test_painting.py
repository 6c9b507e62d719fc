"""What paints a screen puts everything in its place, and asks nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from descartes_daemon.painting import Canvas, paint
from tests.support.asked import questions_of

EMPTY = Canvas(rows=("", ""), region="", cursor="\x1b[1;1H", pen="\x1b[0m", link="", charsets="", keyboard="")


def on(*modes: int) -> Callable[[int], bool]:
    return (7, 25, *modes).__contains__


def painted(canvas: Canvas = EMPTY, *modes: int, primary: Canvas | None = None, title: str = "") -> str:
    return paint(canvas, primary, on(*modes), insert=False, title=title)


def test_it_begins_by_clearing() -> None:
    before, _, after = painted(replace(EMPTY, rows=("one", "", "three"))).partition("\x1b[2J")
    assert not {"one", "three"} & set(before.split("\x1b"))
    assert after.startswith("\x1b[1;1Hone\x1b[3;1Hthree")


def test_what_was_on_before_is_off() -> None:
    text = painted()
    assert text.startswith("\x1b[?1049l")
    assert all(f"\x1b[?{mode}l" in text for mode in (1, 1000, 1006, 2004))
    assert all(f"\x1b[?{mode}h" in text for mode in (7, 25))


def test_a_program_finds_its_modes_again() -> None:
    text = painted(EMPTY, 1, 66, 1000, 1006, 2004)
    assert all(f"\x1b[?{mode}h" in text for mode in (1, 1000, 1006, 2004))
    assert "\x1b=" in text


def test_what_would_make_a_terminal_speak_or_wait_is_not_switched_on() -> None:
    text = painted(EMPTY, 2026, 2048)
    assert "2026" not in text
    assert "2048" not in text


def test_what_lies_under_the_alternate_screen_is_painted_first() -> None:
    primary = replace(EMPTY, rows=("$ vim",), cursor="\x1b[1;6H")
    text = painted(replace(EMPTY, rows=("~",)), 1049, primary=primary)
    assert text.index("$ vim") < text.index("\x1b[1;6H") < text.index("\x1b[?1049h") < text.index("~")
    assert "\x1b[?47h" in painted(EMPTY, 47, primary=primary)


def test_the_cursor_counts_from_the_origin() -> None:
    canvas = replace(EMPTY, region="\x1b[3;10r\x1b[5;20s", cursor="\x1b[4;7H")
    assert "\x1b[?6h\x1b[2;3H" in painted(canvas, 6, 69)
    assert "\x1b[4;7H" in painted(canvas, 69)


@given(text=st.text(), title=st.text(), modes=st.sets(st.integers(0, 3000)))
def test_nothing_a_program_wrote_becomes_a_question(text: str, title: str, modes: set[int]) -> None:
    canvas = replace(EMPTY, rows=(text.replace("\x1b", ""),))
    assert questions_of(painted(canvas, *modes, primary=canvas, title=title)) == []
