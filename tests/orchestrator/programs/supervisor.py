"""The supervisor, with `speaker.py` in place of daemons."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from descartes_orchestrator.supervisor.beginning import begin
from descartes_orchestrator.supervisor.house import Program, Wanted
from descartes_orchestrator.supervisor.ports import Pair

# Who writes something there has installed another library: the state of the code is another one.
sys.path.append(f"{os.environ['HOME']}/test-packages")

SPEAKER = Path(__file__).with_name("speaker.py")


def speaker(wanted: Wanted, _: Pair) -> list[str]:
    if wanted.name == "faulty":
        raise ZeroDivisionError("a fault in the supervisor")
    return [sys.executable, "-I", "-S", str(SPEAKER)]


begin(Program(["-P", __file__], speaker))
