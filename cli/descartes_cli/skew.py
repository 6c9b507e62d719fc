"""Say that a daemon and this command are of different versions."""

from __future__ import annotations

from descartes_core import VERSION
from descartes_core.errors import DescartesError, InvalidParams, MethodNotFound
from descartes_local.home import Home
from descartes_local.run_file import RunFile, read_run_files

#: What an older daemon answers to what it does not know, or a newer one to what it knows no more.
_SUSPICIOUS = (InvalidParams, MethodNotFound)


def others(home: Home) -> list[RunFile]:
    """Return the living daemons that are of another version than this command."""
    return [run for run in read_run_files(home) if run.version != VERSION and run.is_alive]


def remark(run: RunFile) -> str:
    """Return what a person should know of a daemon of another version, and do."""
    return (
        f"the daemon of {run.name} is of version {run.version}, this command of {VERSION}: "
        "what both know works; descartes upgrade brings it to the installed version, and its agents go on"
    )


def explained(home: Home, error: DescartesError) -> list[str]:
    """Return what may be behind an error: only what one side does not understand comes from two versions."""
    return [remark(run) for run in others(home)] if isinstance(error, _SUSPICIOUS) else []
