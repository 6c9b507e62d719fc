"""Run the fork server."""

from __future__ import annotations

from descartes_orchestrator.fork_server.serving import serve

if __name__ == "__main__":
    serve()
