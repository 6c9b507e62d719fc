"""Check the configuration for who does not use it; without one that costs little."""

from __future__ import annotations

import os
from pathlib import Path

from descartes_core.errors import ConfigInvalid
from descartes_local.config_places import is_configured
from descartes_local.home import Home


def refuse_wrong(
    home: Home, *, workspace: Path | None = None, session_id: str | None = None, config_file: Path | None = None
) -> None:
    """Refuse what is about to start with a configuration that is wrong.

    Raises:
        ConfigInvalid: it says what the started program would say.

    """
    if is_configured(home, workspace=workspace, session_id=session_id, config_file=config_file):
        from descartes_local.config import load  # only who has configured something pays for its imports

        load(home, workspace=workspace, session_id=session_id, config_file=config_file)


def complaint_about(
    home: Home, *, workspace: Path, session_id: str | None = None, config_file: Path | None = None
) -> str:
    """Return what is wrong with what a session alone is configured by; nothing where nothing is."""
    own = home.session(session_id) / "config.toml" if session_id else None
    # Not by Path.exists, which raises where we may not look.
    if not any(map(os.path.exists, filter(None, (workspace / ".scud" / "descartes.toml", config_file, own)))):
        return ""
    try:
        refuse_wrong(home, workspace=workspace, session_id=session_id, config_file=config_file)
    except ConfigInvalid as error:
        return error.message
    return ""
