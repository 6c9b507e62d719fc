"""Tell which changes of the configuration count only from the next start on.

Whoever starts writes down what it started with. What the files say now is read again only when one of them was
touched since: to ask costs a few `stat`. Variables count as they were at the start, as those of the next starter
are not known.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from descartes_core.errors import ConfigInvalid
from descartes_core.redaction import redact
from descartes_local.home import Home
from descartes_local.json_file import read_json, write_bytes

#: Of a daemon these do not matter: discovery counts at once, the supervisor reads its own at its own start.
_NOT_A_DAEMONS = ("discovery.", "supervisor.")
#: A daemon that is asked thousands of times a second looks so often (seconds): nobody can tell the difference.
_LOOK_EVERY = 0.05


#: By key: the value as it may be shown, and what tells it from another one.
Kept = Mapping[str, list[Any]]
#: By path: inode, time and size, None where there is no file.
Stamps = Mapping[str, list[int] | None]


@dataclass(frozen=True, slots=True)
class Change:
    """A key whose value will be another after the next start."""

    key: str
    was: Any
    becomes: Any


@dataclass(frozen=True, slots=True)
class Pending:
    """What will be otherwise after the next start."""

    changes: tuple[Change, ...] = ()
    #: Why the next start will be refused; else nothing.
    error: str = ""

    def __bool__(self) -> bool:
        """Say whether there is anything."""
        return bool(self.changes or self.error)

    @property
    def notice(self) -> str:
        """One sentence for people; empty when there is nothing."""
        if self.error:
            return f"the configuration is wrong by now, and the next start will be refused: {self.error}"
        told = ", ".join(change.key for change in self.changes[:5]) + (", …" if len(self.changes) > 5 else "")
        return f"configured otherwise by now, which counts from the next start on: {told}" if told else ""


def started_with(home: Home, session_id: str) -> Path:
    """Return the file with what a session's daemon was started with."""
    return home.session(session_id) / "started-with.json"


def stamps_of(files: Iterable[Path]) -> Stamps:
    """Return by what a change of these files is seen; to be taken before they are read, all that could be there."""
    return {str(path): _stamp(path) for path in files}


def as_kept(values: Mapping[str, Any]) -> Kept:
    """Return values as they are written down."""
    return {key: _kept(value) for key, value in values.items()}


def write_start(file: Path, values: Kept, stamps: Stamps, *, config_file: Path | None = None) -> None:
    """Write down the values that count from now on, without those that the environment has set.

    Raises:
        OSError: it cannot be written.

    """
    told = {
        "values": values,
        "config_file": str(config_file) if config_file else None,
        "files": stamps,
    }
    # It means nothing once the daemon has ended, and is not synced.
    write_bytes(file, json.dumps(told).encode(), durable=False)


def pending_changes(home: Home, session_id: str, workspace: Path) -> Pending:
    """Return what will be otherwise after the next start of a session's daemon; nothing where no start is known."""
    try:
        told = read_json(started_with(home, session_id))
        stamps, before = dict(told["files"]), dict(told["values"])
        config_file = Path(told["config_file"]) if told["config_file"] else None
        if all(_stamp(Path(path)) == stamp for path, stamp in stamps.items()):
            return Pending()
    except (OSError, ValueError, KeyError, TypeError):
        return Pending()
    return _compared(home, session_id, workspace, config_file, before)


class PendingWatch:
    """The same for a daemon that is asked again and again: what it began with is read once."""

    def __init__(self, home: Home, session_id: str, workspace: Path, *, every: float = _LOOK_EVERY) -> None:
        self._asked = home, session_id, workspace
        self._every = every
        #: When it looked last (monotonic).
        self._looked = -every
        self._paths: list[str] = []
        self._stamps: list[list[int] | None] = []
        self._notice = ""

    def notice(self) -> str:
        """Return one sentence for people; empty when nothing is pending."""
        now = time.monotonic()
        if now - self._looked < self._every:
            return self._notice
        self._looked = now
        stamps = [_stamp(path) for path in self._paths]
        if not self._paths or stamps != self._stamps:
            self._paths = self._paths or _paths_of(self._asked[0], self._asked[1])
            self._stamps = [_stamp(path) for path in self._paths]
            self._notice = pending_changes(*self._asked).notice
        return self._notice


def _paths_of(home: Home, session_id: str) -> list[str]:
    try:
        return list(read_json(started_with(home, session_id))["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _compared(
    home: Home, session_id: str, workspace: Path, config_file: Path | None, before: dict[str, Any]
) -> Pending:
    from descartes_local.config import examine  # it costs 0.1 s of imports, and is rarely needed here

    try:
        found = examine(
            home, workspace=workspace, session_id=session_id, config_file=config_file, with_environment=False
        )
    except ConfigInvalid as error:
        return Pending(error=error.message)
    if found.settings is None:
        return Pending(error="; ".join(found.complaints))
    now = as_kept(found.values())
    changed = (key for key in now if key in before and not key.startswith(_NOT_A_DAEMONS) and before[key] != now[key])
    return Pending(tuple(Change(key, before[key][0], now[key][0]) for key in changed))


def _kept(value: Any) -> list[Any]:
    """Return a value as it may be shown, and what tells it from another one."""
    exact = hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]
    return [redact(value) if isinstance(value, list) else value, exact]


def _stamp(path: Path | str) -> list[int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return [found.st_ino, found.st_mtime_ns, found.st_size]
