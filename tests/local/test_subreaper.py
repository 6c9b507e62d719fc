"""Orphans become the children of who said so."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import os, signal, subprocess
from descartes_local.processes import stat_of
from descartes_local.subreaper import become_subreaper

become_subreaper()
orphan = int(subprocess.run(["sh", "-c", "sleep 60 >/dev/null & echo $!"], stdout=subprocess.PIPE).stdout)
stat = stat_of(orphan)
os.kill(orphan, signal.SIGKILL)
print(stat is not None and stat.parent == os.getpid())
"""


LEAVING = CODE.replace(
    "become_subreaper()\norphan =",
    """
become_subreaper()
with leaving_orphans():
    stranger = int(subprocess.run(["sh", "-c", "sleep 60 >/dev/null & echo $!"], stdout=subprocess.PIPE).stdout)
    stat = stat_of(stranger)
    os.kill(stranger, signal.SIGKILL)
    print(stat is not None and stat.parent != os.getpid())
orphan =""",
).replace("import become_subreaper", "import become_subreaper, leaving_orphans")


def ran(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_an_orphan_becomes_a_child_of_ours() -> None:
    assert ran(CODE) == "True\n"


def test_one_that_is_to_be_nobody_s_part_does_not_and_later_ones_do_again() -> None:
    assert ran(LEAVING) == "True\nTrue\n"
