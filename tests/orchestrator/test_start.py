"""A program is started with its descriptors in their order, and with nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

#: In a process of its own: pytest may have threads, and a process with threads must not fork.
STARTER = """
import os, signal, sys
from pathlib import Path
from descartes_orchestrator.supervisor.start import Start, start

signal.signal(signal.SIGTERM, lambda *_: print("our handler"))
# Where they lie is where others are to go.
os.dup2(os.open(sys.argv[1], os.O_RDONLY), 4)
os.dup2(os.open(sys.argv[2], os.O_RDONLY), 3)
pid = start(Start(sys.argv[4:], {"KEY": "value"}, [("first", 4), ("second", 3)], Path(sys.argv[3])))
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def started(tmp_path: Path, *command: str) -> tuple[str, str]:
    """Start a command; return how it ended, and what stands in its log."""
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    paths = [str(tmp_path / name) for name in ("one", "two", "log")]
    done = subprocess.run([sys.executable, "-c", STARTER, *paths, *command], capture_output=True, text=True, check=True)
    return done.stdout.strip(), (tmp_path / "log").read_text()


def test_descriptors_come_in_their_order(tmp_path: Path) -> None:
    code, log = started(tmp_path, "/bin/sh", "-c", "cat <&3; cat <&4; echo $LISTEN_FDNAMES $LISTEN_FDS $KEY; exit 5")
    assert (code, log) == ("5", "onetwofirst:second 2 value\n")


def test_nothing_else_is_inherited(tmp_path: Path) -> None:
    code, log = started(tmp_path, "/bin/sh", "-c", "exec /bin/ls /proc/self/fd")
    assert (code, log.split()) == ("0", ["0", "1", "2", "3", "4", "5"])  # 5 is the listing


def test_signals_are_as_a_program_expects_them(tmp_path: Path) -> None:
    _, log = started(tmp_path, "/bin/cat", "/proc/self/status")
    told = dict(line.split(":\t") for line in log.splitlines() if line.startswith("Sig"))
    # glibc keeps 32 and 33 for its threads, and its posix_spawn, which may have started the test, ignores them.
    of_glibc = 1 << 31 | 1 << 32
    assert [int(told[name], 16) & ~of_glibc for name in ("SigBlk", "SigIgn", "SigCgt")] == [0, 0, 0]


def test_it_leads_a_session_of_its_own(tmp_path: Path) -> None:
    _, log = started(tmp_path, "/bin/sh", "-c", "cut -d ' ' -f 1,6 /proc/$$/stat; echo $LISTEN_PID; pwd")
    both, listening, directory = log.splitlines()
    assert both.split() == [listening, listening]
    assert directory == "/"


def test_a_program_that_cannot_be_executed_is_told_in_the_log(tmp_path: Path) -> None:
    code, log = started(tmp_path, "/no/such/program")
    assert code == "4"
    assert "cannot start /no/such/program" in log
