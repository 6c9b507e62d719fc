from __future__ import annotations

import subprocess
import sys

CODE = """
import os, subprocess
from descartes_local.processes import stat_of
from descartes_local.subreaper import become_subreaper

become_subreaper()
orphan = subprocess.run(["sh", "-c", "read x & echo $!"], stdout=subprocess.PIPE).stdout
stat = stat_of(int(orphan))
print(stat is not None and stat.parent == os.getpid())
"""


def test_an_orphan_becomes_a_child_of_ours() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", CODE], stdin=subprocess.PIPE, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "True\n"
