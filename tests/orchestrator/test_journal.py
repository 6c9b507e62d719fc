"""What the supervisor writes, in a process of its own: its standard error is turned around."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BEGIN = """
import sys
from pathlib import Path
from descartes_local.rotation import reopen
from descartes_orchestrator.supervisor.journal import JOURNAL, note
path = Path(sys.argv[1])
reopen(path)
"""


def noted(code: str, directory: Path) -> str:
    """Run it with a log of its own and return what stands in that."""
    log = directory / "supervisor.log"
    subprocess.run([sys.executable, "-c", BEGIN + code, str(log)], check=True)
    return log.read_text()


def test_each_note_is_one_line_without_secrets(tmp_path: Path) -> None:
    (line,) = noted("note('one\\ntwo --token hunter2')", tmp_path).splitlines()
    assert line.endswith("Z one two --token ***")


def test_it_takes_a_bounded_part_of_the_disk(tmp_path: Path) -> None:
    noted("JOURNAL.path = path\nfor n in range(30_000): note(f'{n} ' + 'x' * 100)", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["supervisor.log", "supervisor.log.1"]
    assert all(path.stat().st_size < 1024 * 1024 + 200 for path in tmp_path.iterdir())


def test_a_full_disk_is_no_reason_to_end(tmp_path: Path) -> None:
    code = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
note("lost")
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
note("told")
"""
    assert noted(code, tmp_path).endswith("Z told\n")
