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


def test_an_orphan_becomes_a_child_of_ours() -> None:
    ran = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert ran.stdout == "True\n"
