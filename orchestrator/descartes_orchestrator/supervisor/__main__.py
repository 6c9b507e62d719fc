"""Run the supervisor."""

from __future__ import annotations

from descartes_orchestrator.supervisor.beginning import begin

if __name__ == "__main__":
    begin()
