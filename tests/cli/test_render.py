from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_cli.render import ago, command_line, cut, pad, print_json, print_table, printable, width

ROWS = [("1", "żółw 🐢", "running", "x" * 200), ("22", "e\u0301", "failed (3)", "short")]


@pytest.mark.parametrize(
    ("text", "columns"), [("ascii", 5), ("żółw", 4), ("漢字", 4), ("e\u0301", 1), ("🐢", 2), ("", 0)]
)
def test_width_counts_terminal_columns(text: str, columns: int) -> None:
    assert width(text) == columns


@given(text=st.text(), columns=st.integers(min_value=1, max_value=50))
def test_what_was_cut_fits(text: str, columns: int) -> None:
    assert width(cut(text, columns)) <= columns
    assert width(pad(cut(text, columns), columns)) == columns


@given(text=st.text())
def test_printable_text_moves_no_cursor(text: str) -> None:
    shown = printable(text)
    assert "\x1b" not in shown
    assert "\n" not in shown
    shown.encode()


def test_a_command_is_shown_as_one_would_type_it() -> None:
    assert command_line(["bash", "-c", "echo 'a b'\n\x1b[31m"]) == """bash -c 'echo '"'"'a b'"'"'\\n\\x1b[31m'"""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "now"), (0.5, "now"), (1, "1s ago"), (185, "3m ago"), (7200, "2h ago"), (200_000, "2d ago")],
)
def test_an_age_has_its_largest_unit(seconds: float, text: str) -> None:
    assert ago(seconds) == text


def test_a_table_for_a_pipe_is_aligned_plain_and_whole(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("ID", "NAME", "STATUS", "COMMAND"), ROWS, coloured=2)
    assert capsys.readouterr().out == (
        "ID  NAME     STATUS      COMMAND\n"
        f"1   żółw 🐢  running     {'x' * 200}\n"
        "22  e\u0301        failed (3)  short\n"
    )


def on_a_terminal(code: str, **env: str) -> str:
    """Run code with a terminal of 40 columns for its output, and return what it wrote there."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=slave, env={**os.environ, "COLUMNS": "40", **env}
    ) as run:
        os.close(slave)
        written = b""
        try:
            while piece := os.read(master, 65_536):
                written += piece
        except OSError:
            pass  # EIO: the other side is closed
        run.wait()
    os.close(master)
    return written.decode()


_CODE = f"from descartes_cli.render import print_table; print_table(('I', 'N', 'S', 'C'), {ROWS!r}, coloured=2)"


def test_a_table_on_a_terminal_is_coloured_and_cut_at_its_edge() -> None:
    lines = on_a_terminal(_CODE).splitlines()
    assert "\x1b[32mrunning   \x1b[0m" in lines[1]
    assert lines[1].endswith("x…")
    assert width(lines[1].replace("\x1b[32m", "").replace("\x1b[0m", "")) == 40


def test_no_color_is_honoured() -> None:
    assert "\x1b" not in on_a_terminal(_CODE, NO_COLOR="1")


def test_json_is_indented_and_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": ["ż\udcff"]})
    assert capsys.readouterr().out == '{\n  "a": [\n    "\\u017c\\udcff"\n  ]\n}\n'
