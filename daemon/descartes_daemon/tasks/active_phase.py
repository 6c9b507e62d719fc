"""Which phase SCUD has as the active one, in the files of each of its generations."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from descartes_core.errors import Unavailable
from descartes_local.json_file import write_bytes
from descartes_local.regular_file import NotRegular, read_regular

_ACTIVE = ".scud/active-tag"
#: Before there was that file, and by which name the phase stands in it; later names first.
_WORKFLOWS = (".scud/workflow-state.json", ".taskmaster/workflow-state.json")
_NAMES = ("active_group", "active_epic")


def read(workspace: Path) -> str | None:
    """Return it; None where none is."""
    with contextlib.suppress(OSError, NotRegular):
        if tag := read_regular(workspace / _ACTIVE).decode(errors="replace").strip():
            return tag.splitlines()[0].strip()
    return next(filter(None, (_in_workflow(workspace / place) for place in _WORKFLOWS)), None)


def _in_workflow(path: Path) -> str | None:
    with contextlib.suppress(OSError, ValueError, RecursionError):  # NotRegular is a ValueError
        state = json.loads(read_regular(path))
        found = [state.get(name) for name in _NAMES] if isinstance(state, dict) else []
        return next((tag for tag in found if isinstance(tag, str) and tag), None)
    return None


def write(workspace: Path, tag: str) -> None:
    """Make a phase the active one, as SCUD's `use-tag` does; in a thread.

    Raises:
        Unavailable: it cannot be written.

    """
    try:
        write_bytes(workspace / _ACTIVE, f"{tag}\n".encode(), mode=0o644)
    except OSError as error:
        raise Unavailable(f"{_ACTIVE} cannot be written: {error.strerror or error}") from error
