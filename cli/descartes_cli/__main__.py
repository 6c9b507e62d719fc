"""`python -m descartes_cli` is the command, too."""

from __future__ import annotations

from descartes_cli.main import main

if __name__ == "__main__":
    main()
