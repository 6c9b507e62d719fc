"""Make a session of a file that another one was exported to.

All of it is read, checked and put aside first; then, under the locks of the workspace and of the data, the data gets
its place, and `session.json` is written: from that moment on there is a session. Who is killed before leaves a
directory that nobody knows of, and the next import removes it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from descartes_core.errors import AlreadyExists, ArchiveInvalid, Locked, NotFound, Refused, Unavailable
from descartes_core.ids import new_id
from descartes_core.session_life import State
from descartes_core.session_record import SessionRecord, UnreadableRecord, read_record
from descartes_local import registry, session_file
from descartes_local.archive_form import IMPORTING
from descartes_local.home import Home
from descartes_local.json_file import sync_directory, write_json
from descartes_local.locks import is_at, lock_directory
from descartes_local.probe import reached
from descartes_orchestrator.identity import Session, living_run, session_of
from descartes_orchestrator.import_leftovers import ASIDE, finish, sweep
from descartes_orchestrator.unpacking import Unpacked, unpack

#: Keys of session.json that belong to the place where it was.
_OF_THE_PLACE = ("ports",)


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of it."""

    session: Session
    #: The id in the file, where that is another one here already.
    was: str | None
    #: Of agents that lived when it was exported.
    lost: list[dict[str, str]]
    agents: int


def import_session(
    home: Home, file: Path, place: Path | None, progress: Callable[[int, int], None] = lambda _done, _of: None
) -> Imported:
    """Make a session of an export; without a place its workspace is a directory here of the session's name.

    Raises:
        ArchiveInvalid: the file is no export, or damaged; nothing was made.
        AlreadyExists: the place is a workspace already, and has a session.
        NotFound: there is no such file.
        Unavailable: something cannot be read or written.

    """
    home.make()
    sweep(home)
    try:
        with open(file, "rb") as archive, _aside(home) as directory:
            unpacked = unpack(archive, directory, os.fstat(archive.fileno()).st_size, progress)
            reached("import.unpacked")
            record = _record(unpacked)
            workspace = Path(os.path.abspath(place or Path.cwd() / _directory_name(record.name)))
            return _take_in(home, directory, workspace, record, unpacked)
    except ArchiveInvalid as error:
        raise ArchiveInvalid(f"{file}: {error.message}") from error
    except FileNotFoundError as error:
        raise NotFound(f"{error.filename or file} does not exist") from error
    except OSError as error:
        raise Unavailable(f"{error.filename or file}: {error.strerror or error}") from error


@contextlib.contextmanager
def _aside(home: Home) -> Iterator[Path]:
    """Give a directory within one of our own; both are locked: who finds them knows whether their owner lives.

    It lies a floor deeper than sessions' data, so that nobody takes it for that, and is renamed to be one.
    """
    with contextlib.ExitStack() as held:
        around = _locked_aside(home, held)
        directory = around / "data"
        directory.mkdir(mode=0o700)
        if (lock := lock_directory(directory)) is not None:
            held.callback(os.close, lock)
        held.callback(shutil.rmtree, around, ignore_errors=True)
        yield directory


def _locked_aside(home: Home, held: contextlib.ExitStack) -> Path:
    """Make the outer one; before it is locked another import may take it for a leftover."""
    while True:
        around = home.path / "sessions" / f"{ASIDE}{secrets.token_hex(8)}"
        around.mkdir(mode=0o700)
        with contextlib.suppress(Locked, FileNotFoundError):
            lock = lock_directory(around)
            if lock is None:
                return around
            held.callback(os.close, lock)
            if is_at(lock, around):
                return around


def _record(unpacked: Unpacked) -> SessionRecord:
    try:
        return read_record(unpacked.about.get("session"))
    except UnreadableRecord as error:
        raise ArchiveInvalid(f"it does not say which session it is: {error}") from error


def _directory_name(name: str) -> str:
    safe = "".join(character if character.isalnum() or character in " ._-" else "-" for character in name)
    return safe.strip(" .-")[:100] or "session"


def _take_in(home: Home, directory: Path, workspace: Path, told: SessionRecord, unpacked: Unpacked) -> Imported:
    if os.path.realpath(workspace) == os.path.realpath(home.path):
        raise Refused(f"{workspace} is where Descartes keeps its own files: choose another directory")
    (workspace / ".scud").mkdir(parents=True, exist_ok=True)
    workspace = workspace.resolve()
    session_file.refuse_link(workspace)
    with _held(workspace):
        _refuse_known(home, workspace)
        record = _as_it_is_here(home, told, workspace)
        _put(home, directory, workspace, record)
    finish(home.session(record.id))
    with contextlib.suppress(OSError, Unavailable):  # it is there, and is found by its path
        registry.remember(home, record.id, str(workspace))
    reached("import.done")
    was = told.id if told.id != record.id else None
    return Imported(session_of(home, workspace), was, unpacked.lost, unpacked.agents)


@contextlib.contextmanager
def _held(workspace: Path) -> Iterator[None]:
    try:
        lock = lock_directory(workspace / ".scud")
    except Locked as error:
        raise AlreadyExists(f"{workspace} has a session already: {error.message}") from None
    try:
        yield
    finally:
        if lock is not None:
            os.close(lock)


def _refuse_known(home: Home, workspace: Path) -> None:
    file = session_file.path_in(workspace)
    if os.path.lexists(file):
        raise AlreadyExists(f"{workspace} has a session already: {file} exists")
    known = registry.read(home).id_at(str(workspace))
    if known is not None and home.session(known).exists():
        raise AlreadyExists(f"{workspace} is known as session {known}, which has a history of its own")


def _as_it_is_here(home: Home, told: SessionRecord, workspace: Path) -> SessionRecord:
    more = {key: value for key, value in told.more.items() if key not in _OF_THE_PLACE}
    is_known = told.id in registry.read(home).known or living_run(home, told.id) is not None
    identity = new_id() if is_known or home.session(told.id).exists() else told.id
    return replace(
        told, id=identity, path=str(workspace), status=State.INACTIVE, daemon_info=None, last_accessed=None, more=more
    )


def _put(home: Home, directory: Path, workspace: Path, record: SessionRecord) -> None:
    """Give the data its place, then the workspace its session.json: the last step is the one that counts."""
    data = home.session(record.id)
    write_json(directory / IMPORTING, {"id": record.id, "path": str(workspace)})
    os.rename(directory, data)
    sync_directory(data.parent)
    reached("import.data_placed")
    try:
        session_file.save(workspace, record)
    except BaseException:
        shutil.rmtree(data, ignore_errors=True)
        raise
    reached("import.saved")
