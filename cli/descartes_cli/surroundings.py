"""What an agent gets from its caller: environment, directory, umask, terminal size."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from descartes_core.errors import InvalidParams

#: Belongs to the caller itself, not to what it starts.
_OWN = {
    "NOTIFY_SOCKET",
    "DESCARTES_AGENT_ID",
    "DESCARTES_HOOK_ID",
    "DESCARTES_SESSION_ID",
    "DESCARTES_SOCKET",
    "DESCARTES_SUPERVISOR",
    "DESCARTES_PROBE",
    "DESCARTES_SOFT_NOFILE",
}


def callers_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return all variables but those that are the caller's own, and those that are no UTF-8."""
    return {
        name: value
        for name, value in environ.items()
        if name not in _OWN and not name.startswith("LISTEN_") and is_text(name) and is_text(value)
    }


def callers_umask() -> int:
    """Return this process's umask; it can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def callers_size() -> tuple[int, int] | None:
    """Return columns and rows of the terminal this runs in, None where there is none."""
    for descriptor in (0, 1, 2):
        try:
            columns, rows = os.get_terminal_size(descriptor)
        except OSError:
            continue
        if columns and rows:
            return columns, rows
    return None


def directory_for(cwd: str | None, workspace: Path, *, is_named: bool) -> str:
    """Return where the agent begins.

    The given directory, seen from the caller's; else the caller's own, unless a workspace was named that the caller
    is not in: then that workspace.
    """
    try:
        here = Path.cwd()
    except FileNotFoundError:
        raise InvalidParams("the current directory is gone; cd to one that exists") from None
    if cwd is not None:
        return str(here / Path(cwd).expanduser())
    if is_named and not here.resolve().is_relative_to(workspace.resolve()):
        return str(workspace)
    return str(here)


def read_size(text: str) -> tuple[int, int]:
    """Return columns and rows of e.g. 120x40.

    Raises:
        InvalidParams: it is no such size.

    """
    columns, found, rows = text.partition("x")
    if not found or not columns.isdecimal() or not rows.isdecimal():
        raise InvalidParams(f"a size is COLUMNSxROWS, e.g. 120x40, not {text!r}")
    size = int(columns), int(rows)
    if not all(1 <= number <= 1000 for number in size):
        raise InvalidParams("a size has 1 to 1000 columns and 1 to 1000 rows")
    return size


def read_additions(texts: tuple[str, ...]) -> dict[str, str]:
    """Return the variables of K=V texts.

    Raises:
        InvalidParams: one has no name or no equals sign.

    """
    additions = {}
    for text in texts:
        name, found, value = text.partition("=")
        if not name or not found:
            raise InvalidParams("--env takes NAME=VALUE")  # not told: what stands there may be a secret
        additions[name] = check_text(value)
    return additions


def check_text(word: str) -> str:
    """Return a word of the command line that a daemon can be told.

    Raises:
        InvalidParams: it is no UTF-8.

    """
    if not is_text(word):
        raise InvalidParams(f"not UTF-8: {os.fsencode(word)!r}")
    return word


def is_text(value: str) -> bool:
    """Say whether JSON can carry it: what is no UTF-8 cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
