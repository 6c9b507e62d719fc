"""What is shown first asks a person's terminal nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from descartes_daemon.first_screen import guess
from descartes_daemon.output_log import OutputLog

#: Cursor keys, mouse, focus, paste, alternate screen, cursor: what may be switched.
_SWITCHES = re.compile(r"\x1b\[\?(1|9|1000|1002|1003|1004|1005|1006|1015|1049|1047|47|2004)h|\x1b\[\?25l")
#: C0 but for line ends and tabs, DEL, C1.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")

PIECES = st.sampled_from(
    [
        b"words ",
        b"\r\n",
        b"\n",
        b"\t",
        b"\x1b[6n",  # where is the cursor?
        b"\x1b[c",  # who are you?
        b"\x1b[>0q",
        b"\x1b]11;?\x07",  # which colour is the background?
        b"\x1b]52;c;?\x1b\\",  # what is in the clipboard?
        b"\x1bP+q544e\x1b\\",
        b"\x9b6n",
        b"\xc2\x9b6n",
        b"\x90q\x9c",
        b"\x1b[?1049h",
        b"\x1b[?1049l",
        b"\x1b[?25l",
        b"\x1b[?2004;1000h",
        b"\x1b[?2026h",
        b"\x1b[21t",
        b"\x1b",
        b"[6n",
        b"\x05",
        "größe 🦊".encode(),
        b"\xff\xfe",
    ]
)


def screen_of(directory: Path, output: bytes, rows: int = 24) -> str:
    (directory / "output.log").write_bytes(output)
    return guess(OutputLog(directory), rows).vt


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(PIECES | st.binary(max_size=8), max_size=30))
def test_it_holds_text_and_switches_and_nothing_else(tmp_path: Path, pieces: list[bytes]) -> None:
    shown = screen_of(tmp_path, b"".join(pieces))
    assert _CONTROL.findall(_SWITCHES.sub("", shown)) == []


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        (b"", ""),
        (b"$ ", "$ "),
        (b"one\r\ntwo\r\n$ ", "one\r\ntwo\r\n$ "),
        (b"\x1b[31mred\x1b[0m\r\n", "red\r\n"),
        (b"50%\r100%\r\n", "100%\r\n"),
        (b"text\x1b[?2004h", "text\x1b[?2004h"),
        (b"\x1b[?2004h\x1b[?2004ltext", "text"),
        (b"text\x1b[?25l", "text\x1b[?25l"),
        (b"text\x1b[?25l\x1b[?25h", "text"),
        (b"before\x1b[?1049hinside", "\x1b[?1049h"),
        (b"before\x1b[?1049hinside\x1b[?1049lafter", "after"),
        (b"\x1b[?1000;1006h", "\x1b[?1000h\x1b[?1006h"),
    ],
)
def test_it_is_the_text_and_the_modes(tmp_path: Path, output: bytes, shown: str) -> None:
    assert screen_of(tmp_path, output).endswith(shown)


def test_it_has_no_more_lines_than_the_terminal(tmp_path: Path) -> None:
    output = b"".join(b"%d\r\n" % number for number in range(1000))
    assert screen_of(tmp_path, output, rows=5) == "996\r\n997\r\n998\r\n999\r\n"


def test_modes_are_found_far_back(tmp_path: Path) -> None:
    assert screen_of(tmp_path, b"\x1b[?1049h" + b"x" * 900_000) == "\x1b[?1049h"
