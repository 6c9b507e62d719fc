from __future__ import annotations

import pytest

from descartes_core.recordings.harmless import Harmless
from descartes_core.recordings.pace import Pace


@pytest.mark.parametrize(
    "harm",
    [
        "\x1b[c",
        "\x1b[>c",
        "\x1b[6n",
        "\x1b[?6n",
        "\x1b]11;?\x07",
        "\x1b]52;c;aGk=\x07",
        "\x1b]0;t\x1b\\",
        "\x1bP+q54\x1b\\",
        "\x05",
        "\x1bZ",
        "\x1b[?1003h",
        "\x1b[?2004h",
        "\x1b[>1u",
        "\x1b[?u",
        "\x1b[8;1;1t",
        "\x1b[5i",
        "\x1b[?2026$p",
        "\x1b[>q",
        "\x13",
        "\x9bc",
        # It would lock the keyboard, be heard twice, forget its tabs, or be wider.
        "\x1b[2h",
        "\x1b[12l",
        "\x1b[3g",
        "\x1bH",
        "\x1b[?3h",
    ],
)
def test_what_would_ask_or_change_the_terminal_is_left_out(harm: str) -> None:
    assert Harmless().feed(f"a{harm}b") == "ab"
    one = Harmless()
    assert "".join(one.feed(character) for character in f"a{harm}b") == "ab"


@pytest.mark.parametrize(
    "shown", ["\x1b[1;31mé\x1b[0m", "\x1b[2;3H\x1b[2J\x1b[K", "\x1b[?1049h", "\x1b[?25l", "\x1b]8;;http://h\x1b\\l\r\n"]
)
def test_what_is_seen_stays(shown: str) -> None:
    assert Harmless().feed(shown) == shown


def test_of_several_modes_only_those_that_are_seen_stay() -> None:
    assert Harmless().feed("\x1b[?25;1003l\x1b[2;4h\x1bc") == "\x1b[?25l\x1b[4h\x1b[0m\x1b[r\x1b[H\x1b[2J"


def test_a_moment_is_due_after_its_pause_at_its_speed() -> None:
    pace = Pace(speed=2.0, idle_limit=3.0)
    pace.jump(100.0, now=0.0)
    assert pace.due(104.0, now=0.0) == 1.5
    pace.shown(104.0, 1.5)
    pace.pause(now=1.6)
    assert pace.is_paused
    pace.pause(now=11.6)
    assert pace.due(105.0, now=11.6) == 12.0
    assert pace.due(90.0, now=11.6) == 11.5
