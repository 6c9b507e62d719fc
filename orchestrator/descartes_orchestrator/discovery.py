"""Find workspaces on disk.

A walk by depth, so that each directory is met first where it lies highest: what is seen again by a symlink, or by an
overlapping search path, is left out without losing what lies deeper. Directories at the greatest depth are not
listed, only asked for their markers; that, and strings in place of Path objects, makes it as fast as `find`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from descartes_local.config_marker import is_ours
from descartes_local.home import Home
from descartes_local.session_file import refuse_link

#: What lies in the user's own directory and holds no workspaces.
_OURS = frozenset({"sessions", "run", "log", "keys"})


@dataclass(frozen=True, slots=True)
class Found:
    """What a walk found."""

    #: Resolved, sorted, each once.
    workspaces: list[Path]
    #: What could not be looked into, and why; sorted by path.
    errors: list[tuple[Path, str]]


def find(roots: Iterable[Path], max_depth: int, *, home: Home | None = None) -> Found:
    """Walk the roots (each is depth 0) and return the workspaces in them; nothing is changed on disk.

    The user's own directory is no workspace, and what Descartes keeps in it is not searched.
    """
    walk = Walk(os.path.realpath(home.path) if home else None)
    level = [os.path.abspath(root) for root in roots]
    for _ in range(max_depth):
        level = walk.look_into(level)
    walk.ask(level)
    return Found(
        [Path(path) for path in sorted(walk.workspaces)],
        [(Path(path), reason) for path, reason in sorted(walk.errors.items())],
    )


def is_workspace(path: str) -> bool:
    """Say whether a directory bears a marker: a directory `.scud`, or a config.toml that is ours.

    Raises:
        OSError: it is no directory, or cannot be looked into, or its `.scud` is a link to elsewhere.

    """
    try:
        if stat.S_ISDIR(os.stat(f"{path}/.scud").st_mode):
            refuse_link(path)
            return True
    except FileNotFoundError:
        pass
    return has_config(path)


def has_config(path: str) -> bool:
    """Say whether a directory has a config.toml that is ours; one that is not for us to read is none of ours."""
    try:
        return is_ours(f"{path}/config.toml")
    except FileNotFoundError:
        return False
    except OSError:
        os.stat(f"{path}/.")  # the directory itself may be what cannot be looked into
        return False


def _key_of(path: str | None) -> tuple[int, int] | None:
    try:
        found = os.stat(path) if path else None
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found else None


class Walk:
    """One walk: what it has seen, and what it found."""

    def __init__(self, own: str | None) -> None:
        self._own = own
        self._own_key = _key_of(own)
        self.workspaces: set[str] = set()
        self.errors: dict[str, str] = {}
        self._seen: set[tuple[int, int]] = set()

    def look_into(self, level: list[str]) -> list[str]:
        """List all directories of one depth and return those below them."""
        below: list[str] = []
        for path in level:
            try:
                found = os.stat(path)
                key = (found.st_dev, found.st_ino)
                if key in self._seen:
                    self._tell_loop(path)
                    continue
                self._seen.add(key)
                below.extend(self._list(path, is_own=key == self._own_key))
            except OSError as error:
                self._tell(path, error)
        return below

    def ask(self, level: list[str]) -> None:
        """Ask the directories of the greatest depth for their markers."""
        for path in level:
            try:
                if is_workspace(path):
                    self._add(path)
            except OSError as error:
                self._tell(path, error)

    def _list(self, path: str, *, is_own: bool) -> list[str]:
        marked = has_ours = False
        names = []
        with os.scandir(path) as entries:
            for entry in entries:
                name = entry.name
                if name == "config.toml":
                    has_ours = has_config(path)
                if name[0] == "." and name != ".scud":
                    continue
                try:
                    if not entry.is_dir():
                        continue
                    if name == ".scud":
                        refuse_link(path)
                except OSError as error:  # a symlink that leads to itself, or where we may not look
                    self._tell(entry.path, error)
                    continue
                if name == ".scud":
                    marked = True
                else:
                    names.append(name)
        if marked or has_ours:
            self._add(path)
        prefix = path if path.endswith("/") else f"{path}/"
        return [prefix + name for name in names if not (is_own and name in _OURS)]

    def _add(self, path: str) -> None:
        resolved = os.path.realpath(path)
        if resolved != self._own:
            self.workspaces.add(resolved)

    def _tell_loop(self, path: str) -> None:
        # Seen twice is nothing to tell, unless a symlink leads back to where it lies.
        target = os.path.realpath(path)
        if os.path.islink(path) and f"{os.path.realpath(os.path.dirname(path))}/".startswith(f"{target}/"):
            self.errors[path] = f"symlink loop: it leads back to {target}"

    def _tell(self, path: str, error: OSError) -> None:
        self.errors[path] = error.strerror or str(error)
