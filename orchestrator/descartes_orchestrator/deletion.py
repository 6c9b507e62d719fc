"""Delete a session: forget it, and, only when told so, remove its files and its history."""

from __future__ import annotations

import contextlib
import os
import pwd
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from descartes_core.errors import AgentsAlive, Locked, NoWorkspace, Refused, Unavailable
from descartes_local import registry, session_file
from descartes_local.home import Home
from descartes_local.json_file import sync_directory
from descartes_local.locks import is_at, lock_directory
from descartes_local.probe import reached
from descartes_local.registry import Removal
from descartes_local.run_file import read_run_files
from descartes_local.tree import find_tree
from descartes_orchestrator.claim import claimed, served
from descartes_orchestrator.identity import Session
from descartes_orchestrator.removal import finish, left_of, remove
from descartes_orchestrator.stopping import stop


@dataclass(frozen=True, slots=True)
class Plan:
    """What a deletion would remove, so that a person can be asked."""

    session: Session
    #: The whole tree of the workspace.
    files: bool
    #: The agents' history and output.
    data: bool
    #: Workspaces within the tree that would go with it; none of them lives.
    inner: tuple[Path, ...] = ()


def plan(home: Home, session: Session, *, files: bool = False, data: bool = False) -> Plan:
    """Say what would be removed; nothing is changed.

    Raises:
        Refused: that must not be removed.
        AgentsAlive: agents of it live.

    """
    if data and session.is_copy:
        raise Refused(f"the history of {session.id} is that of {session.rival}: it is not removed with a copy")
    inner: tuple[Path, ...] = ()
    if files and session.path.exists():
        _refuse_dear(home, session.path)
        _refuse_mounts(session.path)
        inner = tuple(_inner_workspaces(session.path))
        _refuse_lives_within(home, session, inner)
    if files or data:
        _refuse_left_alive(session)
    return Plan(session, files, data, inner)


def carry_out(home: Home, wanted: Plan) -> None:
    """Stop the session, and remove what was planned.

    Raises:
        AgentsAlive: agents live; nothing has changed.
        Conflict: somebody else's daemon serves it.
        Unavailable: something cannot be removed; what is left is told by `sessions list`, and done by a repeat.

    """
    session = wanted.session
    if not session.is_copy:
        stop(home, session)
    if wanted.files or wanted.data:
        _refuse_left_alive(replace(session, run=None))
    try:
        with claimed(home, session):
            _remove_workspace(home, wanted)
    except Locked as error:
        raise served(session, error) from None
    except NoWorkspace:
        pass  # it is gone already, and only to be forgotten
    _forget(home, wanted)
    if wanted.data and (directory := home.session(session.id)).is_dir():
        remove(home, directory, session.id, Path.is_dir)
    for one in left_of(home):
        if one.session_id == session.id and one.path == str(session.path):
            finish(home, one)


def _forget(home: Home, wanted: Plan) -> None:
    session = wanted.session
    with registry.updating(home) as change:
        known = change.registry.without_copy(str(session.path))
        if not session.is_copy:
            known = known.without_known(session.id)
        for inner in wanted.inner:
            if (identity := known.id_at(str(inner))) is not None:
                known = known.without_known(identity)
        change.registry = known


def begun(home: Home, text: str) -> Removal | None:
    """Return the removal that was begun of what a person means by a path, an id or its beginning."""
    place = os.path.abspath(os.path.expanduser(text))
    for one in left_of(home):
        is_path = os.path.realpath(one.path) == os.path.realpath(place) and not os.path.lexists(place)
        if is_path or place == one.trash or (len(text) >= 4 and one.session_id.startswith(text.lower())):
            return one
    return None


def go_on(home: Home, removal: Removal) -> None:
    """Finish a removal that was begun.

    Raises:
        Unavailable: not all of it can be removed.

    """
    if registry.read(home).known.get(removal.session_id) == removal.path:
        registry.forget(home, removal.session_id)
    finish(home, removal)


def _remove_workspace(home: Home, wanted: Plan) -> None:
    session = wanted.session
    if not wanted.files:
        reached("session.deleting")
        try:
            session_file.path_in(session.path).unlink(missing_ok=True)
        except OSError as error:
            raise Unavailable(f"{error.filename} cannot be removed: {error.strerror}") from error
        sync_directory(session.path / ".scud")
        reached("session.deleted")
        return
    _refuse_lives_within(home, session, tuple(_inner_workspaces(session.path)))
    meant = os.open(session.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        remove(home, session.path, session.id, lambda renamed: is_at(meant, renamed))
    finally:
        os.close(meant)


def _refuse_dear(home: Home, path: Path) -> None:
    """Refuse what a person or Descartes lives in, and all above it."""
    dear = {home.path, Path(os.environ.get("HOME") or "/")}
    with contextlib.suppress(KeyError):  # a user without an entry
        dear.add(Path(pwd.getpwuid(os.getuid()).pw_dir))
    for place in map(Path.resolve, dear):
        if place.is_relative_to(path):
            raise Refused(f"{path} is never removed: {place} is {'it' if place == path else 'in it'}")
    own = home.path.resolve()
    if any(path.is_relative_to(own / name) for name in ("sessions", "run", "log", "keys")):
        raise Refused(f"{path} is never removed: Descartes keeps its own files there")


def _refuse_mounts(path: Path) -> None:
    if os.path.ismount(path):
        raise Refused(f"{path} is not removed: it is a mount point")
    for place in _mounts():
        if place.is_relative_to(path):
            raise Refused(f"{path} is not removed: a file system is mounted at {place}; unmount it first")


def _mounts() -> Iterator[Path]:
    if os.path.exists("/proc/self/mountinfo"):
        with open("/proc/self/mountinfo", "rb") as file:
            for line in file:
                # Blanks, tabs, newlines and backslashes stand there as octal numbers.
                yield Path(os.fsdecode(line.split()[4].decode("unicode_escape").encode("latin-1")))


def _inner_workspaces(path: Path) -> Iterator[Path]:
    """Yield the workspaces within a tree; nothing is followed out of it."""
    for directory, names, _ in os.walk(path):
        if ".scud" in names:
            names.remove(".scud")
            if Path(directory) != path:
                yield Path(directory)


def _refuse_lives_within(home: Home, session: Session, inner: tuple[Path, ...]) -> None:
    """Refuse to remove a workspace that another daemon serves, of whichever home."""
    path = session.path
    living = [
        Path(run.path)
        for run in read_run_files(home)
        if run.is_alive and Path(run.path) != path and Path(run.path).is_relative_to(path)
    ]
    for workspace in inner:
        try:
            lock = lock_directory(workspace / ".scud")
        except Locked:
            living.append(workspace)
        except OSError:
            continue
        else:
            if lock is not None:
                os.close(lock)
    if living:
        raise Refused(f"{path} is not removed: the workspace {living[0]} in it is served; stop that one first")


def _refuse_left_alive(session: Session) -> None:
    """Refuse while anything runs that an agent of this session started, also after daemon and supervisor died."""
    if session.run is not None or session.is_copy:
        return  # the daemon knows its agents, and refuses by itself
    left = find_tree((), ("DESCARTES_SESSION_ID", session.id))
    if left:
        pids = ", ".join(str(process.pid) for process in sorted(left)[:5])
        raise AgentsAlive(
            f"{len(left)} processes that agents of {session.name} started are alive (pid {pids}): end them first"
        )
