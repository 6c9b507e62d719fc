"""Run the daemon as a module, as the supervisor does."""

from __future__ import annotations

import sys

from descartes_daemon.main import main

if __name__ == "__main__":
    sys.exit(main())
