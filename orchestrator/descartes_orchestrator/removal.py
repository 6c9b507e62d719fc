"""Remove a directory: a kill at any moment leaves it whole, or a known leftover.

What is to go is first written down, then renamed beside itself in one step, then removed. Everything is reached from
the descriptor of its directory, so that no link that somebody puts there meanwhile leads out of it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from descartes_core.errors import Conflict, Unavailable
from descartes_local import registry
from descartes_local.home import Home
from descartes_local.json_file import sync_directory
from descartes_local.locks import lock_directory
from descartes_local.probe import reached
from descartes_local.registry import Removal

#: File systems take 255 bytes in a name; ours adds 18 to it.
_LONGEST_NAME = 236
#: Another command may be removing the same: a million files take minutes (seconds).
_PATIENCE = 600.0
_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove(home: Home, path: Path, session_id: str, is_right: Callable[[Path], bool]) -> None:
    """Remove a directory and all in it.

    Args:
        home: whose registry remembers what was begun.
        path: the directory, resolved.
        session_id: whose it is.
        is_right: asked of the renamed directory, before anything in it is touched: is it what was meant?

    Raises:
        Conflict: something else lay there at the last moment; it is there again.
        Unavailable: it cannot be renamed, and is untouched; or not all of it can be removed, and the rest is told.

    """
    name = os.fsdecode(os.fsencode(path.name)[:_LONGEST_NAME])
    trash = path.with_name(f".{name}.deleted-{secrets.token_hex(4)}")
    removal = Removal(str(path), str(trash), session_id)
    with registry.updating(home) as change:
        gone = [one for one in change.registry.removing if not os.path.lexists(one.trash)]
        kept = tuple(one for one in change.registry.removing if one not in gone)
        change.registry = replace(change.registry, removing=(*kept, removal))
    reached("session.delete.intended")
    try:
        path.rename(trash)
    except OSError as error:
        _done(home, removal)
        raise Unavailable(f"{path} cannot be removed: {error.strerror or error}") from error
    sync_directory(path.parent)
    if not is_right(trash):
        trash.rename(path)
        _done(home, removal)
        raise Conflict(f"{path} was replaced by something else meanwhile: nothing is removed")
    reached("session.delete.renamed")
    finish(home, removal)


def finish(home: Home, removal: Removal) -> None:
    """Remove what was renamed for it, and forget that it was begun.

    Raises:
        Unavailable: not all of it can be removed; the message tells why, and it may be tried again.
        Locked: another command is removing it.

    """
    trash = Path(removal.trash)
    try:
        parent = os.open(trash.parent, _OPEN_DIRECTORY)
    except FileNotFoundError:
        _gone(home, removal)
        return
    except OSError as error:
        raise _unfinished(trash, error) from error
    try:
        with _alone(trash, parent):
            _remove_directory(trash.name, parent)
    except FileNotFoundError:
        pass  # another one has finished it
    except OSError as error:
        raise _unfinished(trash, error) from error
    finally:
        os.close(parent)
    sync_directory(trash.parent)
    _gone(home, removal)


@contextlib.contextmanager
def _alone(trash: Path, parent: int) -> Iterator[None]:
    """Let nobody else remove it meanwhile.

    Raises:
        Locked: another one does not get done.
        OSError: it is gone, or cannot be opened.

    """
    _make_writable(trash.name, parent)
    lock = lock_directory(trash, patience=_PATIENCE)
    try:
        yield
    finally:
        if lock is not None:
            os.close(lock)


def left_of(home: Home) -> list[Removal]:
    """Return the removals that were begun and not finished."""
    return [one for one in registry.read(home).removing if os.path.lexists(one.trash)]


def _done(home: Home, removal: Removal) -> None:
    with registry.updating(home) as change:
        change.registry = change.registry.without_removal(removal.trash)


def _gone(home: Home, removal: Removal) -> None:
    """Know neither the removal any more nor the workspaces that lay there, in one write."""
    with registry.updating(home) as change:
        left = change.registry.without_removal(removal.trash)
        for identity, path in change.registry.known.items():
            if Path(path).is_relative_to(removal.path) and not os.path.lexists(path):
                left = left.without_known(identity)
        change.registry = left


def _unfinished(trash: Path, error: OSError) -> Unavailable:
    why = error.strerror or error
    return Unavailable(f"{trash} cannot be removed whole: {why} ({error.filename}); the same command tries again")


def _remove_directory(name: str, parent: int) -> None:
    """Remove a directory, however deep: all directories in it are first brought up, so that no way is long."""
    root = _open(name, parent)
    try:
        _empty(root, root)
        while names := os.listdir(root):
            for below in names:
                _remove_below(below, root)
    finally:
        os.close(root)
    reached("session.delete.emptied")
    os.rmdir(name, dir_fd=parent)


def _remove_below(name: str, root: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        directory = _open(name, root)
        try:
            _empty(directory, root)
        finally:
            os.close(directory)
        os.rmdir(name, dir_fd=root)


def _empty(directory: int, root: int) -> None:
    """Remove the files in a directory, and bring its directories up to the root, under names of their own.

    Where another file system is mounted, or a directory by two ways, the rename is refused: nothing of it is touched.
    """
    with os.scandir(directory) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_directory in found:
        with contextlib.suppress(FileNotFoundError):
            if is_directory:
                _make_writable(name, directory)
                os.rename(name, f".{secrets.token_hex(8)}", src_dir_fd=directory, dst_dir_fd=root)
            else:
                os.unlink(name, dir_fd=directory)


def _open(name: str, parent: int) -> int:
    _make_writable(name, parent)
    return os.open(name, _OPEN_DIRECTORY, dir_fd=parent)


def _make_writable(name: str, parent: int) -> None:
    """Let us write a directory of ours: what is in it can be removed, and it can be moved, only then."""
    if os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode & 0o700 == 0o700:
        return
    if sys.platform == "linux":
        # Not by its name: by then a link may stand there.
        handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        try:
            os.chmod(f"/proc/self/fd/{handle}", 0o700)
        finally:
            os.close(handle)
