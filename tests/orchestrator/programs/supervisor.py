"""The supervisor, with `speaker.py` in place of daemons."""

from __future__ import annotations

import sys
from pathlib import Path

from descartes_orchestrator.supervisor.beginning import begin
from descartes_orchestrator.supervisor.house import Program

SPEAKER = Path(__file__).with_name("speaker.py")

begin(Program(["-P", __file__], lambda wanted, ports: [sys.executable, "-I", "-S", str(SPEAKER)]))
