"""A token that was given is seen by nobody who lists processes."""

from __future__ import annotations

import subprocess
import sys

import pytest

SHOW = """
import sys
from descartes_cli.token_word import read
print(read(sys.argv[1], "descartes runner"))
print(open("/proc/self/cmdline").read())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
@pytest.mark.parametrize(("word", "said"), [("descartes-secret", ""), ("-", "  descartes-secret\nmore\n")])
def test_it_stands_in_no_list_of_processes(word: str, said: str) -> None:
    command = [sys.executable, "-c", SHOW, word]
    token, shown = subprocess.run(command, input=said, capture_output=True, text=True, check=True).stdout.split("\n", 1)
    assert token == "descartes-secret"
    assert "secret" not in shown


def test_without_an_end_of_the_line_it_is_read_all_the_same() -> None:
    done = subprocess.run([sys.executable, "-c", SHOW, "-"], input="t", capture_output=True, text=True, check=True)
    assert done.stdout.startswith("t\n")
