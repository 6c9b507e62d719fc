from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

from tests.support.waiting import wait_until

#: Opens its log as a supervisor opens a daemon's, counts on from a number, and writes with both descriptors.
COUNTER = """
import os, sys
from pathlib import Path
from descartes_local.rotation import reopen, rotate
log, number, most, keep = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
reopen(log)
while True:
    number += 1
    os.write(1 + number % 2, b"line %d\\n" % number)
    rotate(log, most=most, keep=keep)
"""
ONCE = """
import sys
from pathlib import Path
from descartes_local.rotation import is_a_file, reopen, rotate
log = Path(sys.argv[1])
"""


def ran(code: str, *words: object, **how: object) -> subprocess.CompletedProcess[str]:
    """Run a piece of code in a process of its own, whose descriptors it may turn around."""
    command = [sys.executable, "-c", ONCE + code, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=True, **how)  # type: ignore[call-overload,no-any-return]


def numbers_of(directory: Path) -> list[int]:
    """Return the numbers of all lines, oldest first; half a line would be no number."""
    logs = sorted(directory.glob("log.[0-9]*"), key=lambda path: -int(path.suffix[1:]))
    text = "".join(path.read_text() for path in [*logs, directory / "log"] if path.exists())
    return [int(line.removeprefix("line ")) for line in text.splitlines()]


def is_beyond(directory: Path, number: int) -> bool:
    """Say whether the log has come beyond a number; while it is moved, nobody can tell."""
    try:
        return numbers_of(directory)[-1:] > [number]
    except FileNotFoundError:
        return False


def test_a_log_that_is_killed_again_and_again_loses_no_line(tmp_path: Path) -> None:
    number = 0
    for _ in range(12):
        words = [str(tmp_path / "log"), str(number), "300", "1000"]
        with subprocess.Popen([sys.executable, "-c", COUNTER, *words]) as counter:
            try:
                wait_until(lambda least=number + 20: is_beyond(tmp_path, least), "it writes")
            finally:
                counter.kill()
        number = numbers_of(tmp_path)[-1]
    assert numbers_of(tmp_path) == list(range(1, number + 1))
    assert len(list(tmp_path.glob("log.[0-9]*"))) > 10


def test_only_so_many_are_kept_and_each_is_bounded(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = "reopen(log)\nfor n in range(999):\n  print(n, flush=True)\n  rotate(log, most=100, keep=2)"
    ran(code, log)
    assert {path.name for path in tmp_path.iterdir()} == {"log", "log.1", "log.2"}
    assert all(path.stat().st_size < 120 for path in tmp_path.iterdir())
    assert (tmp_path / "log.1").stat().st_mode & 0o777 == 0o600
    ran("reopen(log)\nprint('x' * 200, flush=True)\nassert rotate(log, most=100, keep=0)", log)
    assert log.read_text() == ""


def test_where_fewer_are_to_be_kept_the_rest_goes(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for number in range(1, 6):
        (tmp_path / f"log.{number}").write_text(f"{number}")
    ran("reopen(log)\nprint('x' * 200, flush=True)\nassert rotate(log, most=100, keep=2)", log)
    assert {path.name for path in tmp_path.iterdir()} == {"log", "log.1", "log.2"}
    assert (tmp_path / "log.2").read_text() == "1"


def test_what_is_no_log_of_ours_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("x" * 200)
    assert ran("print(is_a_file(), rotate(log, most=100, keep=2))", log).stdout == "False False\n"
    moved = (
        "reopen(log)\nlog.rename(str(log) + '.theirs')\nassert not rotate(log, most=100, keep=2)\nassert is_a_file()"
    )
    ran(moved, log)
    assert [path.name for path in tmp_path.iterdir()] == ["log.theirs"]


def test_what_cannot_be_made_anew_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = """
reopen(log)
print("x" * 200, flush=True)
import os, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (3, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
try:
    rotate(log, most=100, keep=2)
except OSError as error:
    print(error.errno, flush=True)
"""
    ran(code, log)
    assert log.read_text() == "x" * 200 + "\n24\n"
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 3
    assert os.listdir(tmp_path) == ["log"]
