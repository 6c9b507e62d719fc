"""The supervisor with real daemons, and a fork server that is not as it should be: its manner is the first word."""

from __future__ import annotations

import sys
from pathlib import Path

from descartes_orchestrator.supervisor.beginning import begin
from descartes_orchestrator.supervisor.house import Program, daemon_command

MANNER = sys.argv[1]
FORKER = [sys.executable, "-P", str(Path(__file__).with_name("forker.py")), MANNER]

begin(Program(["-P", __file__, MANNER], daemon_command, FORKER), sys.argv[2:])
