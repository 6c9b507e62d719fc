"""Run the hub in the foreground."""

from __future__ import annotations

import os

from descartes_orchestrator.supervisor.start import python


def run_here() -> None:
    """Become the hub; it notes on standard error what it does, until Ctrl-C."""
    command = python("descartes_orchestrator.hub")
    os.execv(command[0], command)
