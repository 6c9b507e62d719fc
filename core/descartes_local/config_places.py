"""Where configuration comes from: which files, and whether anything is there."""

from __future__ import annotations

import os
from pathlib import Path

from descartes_local.home import Home

PREFIX = "DESCARTES_"
#: The file of the programs that Descartes comes from.
ORIGINALS = "daemon.toml"


def files(
    home: Home, *, workspace: Path | None = None, session_id: str | None = None, config_file: Path | None = None
) -> list[Path]:
    """Return the files that count, whether they are there or not; earlier ones win."""
    candidates = [
        config_file,
        home.session(session_id) / "config.toml" if session_id else None,
        workspace / ".scud" / "descartes.toml" if workspace else None,
        home.path / "config.toml",
        home.path / ORIGINALS,
    ]
    return [path for path in candidates if path is not None]


def environment_names() -> list[str]:
    """Return the variables of this process that are meant as settings: DESCARTES_SECTION__KEY."""
    return sorted(name for name in os.environ if name.upper().startswith(PREFIX) and "__" in name)


def is_configured(
    home: Home, *, workspace: Path | None = None, session_id: str | None = None, config_file: Path | None = None
) -> bool:
    """Say whether anything is configured; to read it costs 0.1 s of imports."""
    paths = files(home, workspace=workspace, session_id=session_id, config_file=config_file)
    return bool(environment_names()) or any(os.path.lexists(path) for path in paths)
