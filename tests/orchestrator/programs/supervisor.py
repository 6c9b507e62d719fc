"""The supervisor, with `speaker.py` in place of daemons."""

from __future__ import annotations

import sys
from pathlib import Path

from descartes_orchestrator.supervisor.beginning import begin

SPEAKER = Path(__file__).with_name("speaker.py")

begin(lambda wanted, ports: [sys.executable, "-I", "-S", str(SPEAKER)])
