"""The command `descartes-daemon`: one session's daemon, in the foreground."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import time
from functools import cache
from pathlib import Path

from descartes_core import kept
from descartes_core.errors import DescartesError, NoWorkspace
from descartes_core.ids import stable_id
from descartes_core.redaction import is_secret_name
from descartes_core.session_record import SessionRecord
from descartes_core.times import written
from descartes_daemon import app, terminal_socket
from descartes_daemon.daemon_log import log_to, set_levels
from descartes_daemon.options import Options, read_options
from descartes_daemon.schema import fresh_database
from descartes_daemon.serve import serve
from descartes_daemon.setup import Setup
from descartes_daemon.sockets import take_inherited
from descartes_local import registry, session_file
from descartes_local.code_stamp import loaded_stamp
from descartes_local.config import Examined, defaults, examine, files
from descartes_local.config_pending import Kept, as_kept, stamps_of, started_with, write_start
from descartes_local.home import Home, find_home, make_private
from descartes_local.subreaper import become_subreaper
from descartes_local.token import read_or_make

_log = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to end; return the exit code of what went wrong, or of giving way to the next; else 0."""
    options = read_options(arguments)
    loaded_stamp()
    try:
        setup = _prepare(options)
        is_handed_on = asyncio.run(serve(setup))
    except DescartesError as error:
        return _told(error)
    except BaseExceptionGroup as group:
        if (known := _known(group)) is None:
            raise
        return _told(known)
    return kept.HANDED_ON if is_handed_on else 0


def warm() -> None:
    """Do what every start does alike, in a process that is about to fork many; it begins nothing."""
    # Patterns that are compiled once are not compiled in each of them.
    is_secret_name("")
    app.warm(terminal_socket.PATH)
    _default_values()
    set_levels()
    fresh_database()


@cache
def _default_values() -> Kept:
    """Return what is written down where nothing is configured, neither by files nor by the environment."""
    return as_kept(Examined(defaults(), (), ()).values())


def _told(error: DescartesError) -> int:
    # Not by print: what it cannot write, on a full disk, it would try again at the end, and end with 120.
    with contextlib.suppress(OSError):
        os.write(2, f"descartes-daemon: {error.message}\n".encode(errors="backslashreplace"))
    return error.exit


def _known(group: BaseExceptionGroup[BaseException]) -> DescartesError | None:
    """Return the one error of ours that ended the daemon; None when there was anything else."""
    if len(group.exceptions) != 1:
        return None
    (only,) = group.exceptions
    if isinstance(only, BaseExceptionGroup):
        return _known(only)
    return only if isinstance(only, DescartesError) else None


def _prepare(options: Options) -> Setup:
    inherited = take_inherited(os.environ)
    home = find_home()
    home.make()
    workspace = _workspace(options.workdir, goes_on=kept.LOCK_DATA in inherited)
    record = _record(home, workspace, options)
    stamps = stamps_of(files(home, workspace=workspace, session_id=record.id, config_file=options.config))
    found = examine(home, workspace=workspace, session_id=record.id, config_file=options.config)
    settings = found.checked()
    values = _default_values() if settings is defaults() else as_kept(found.values(with_environment=False))
    make_private(home.session(record.id))
    log = log_to(home.session(record.id) / "daemon.log", settings.log, level=options.log_level)
    log.hide([read_or_make(home)])
    for note in found.notes:
        _log.info("%s", note)
    become_subreaper()

    def note_start() -> None:
        with contextlib.suppress(OSError):  # it only tells what is pending
            write_start(started_with(home, record.id), values, stamps, config_file=options.config)

    return Setup(
        home=home,
        workspace=workspace,
        record=record,
        settings=settings,
        http_port=options.http_port or settings.server.http_port,
        ws_port=options.ws_port or settings.server.ws_port,
        inherited=inherited,
        notify_socket=os.environ.pop("NOTIFY_SOCKET", None),
        supervisor=os.environ.get("DESCARTES_SUPERVISOR"),
        fd_store=_number(os.environ.pop("FDSTORE", "")),
        soft_nofile=_raise_limit(),
        config_file=options.config and options.config.resolve(),
        hung=_hung(os.environ.pop("DESCARTES_HUNG", "")),
        note_start=note_start,
    )


def _workspace(given: Path, *, goes_on: bool) -> Path:
    """Return the workspace's place; where an earlier daemon served it, its agents outlive also its directory.

    Raises:
        NoWorkspace: it is not there.

    """
    try:
        path = given.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        if goes_on and isinstance(error, FileNotFoundError):
            return given
        raise NoWorkspace(f"{given} cannot be used: {getattr(error, 'strerror', None) or error}") from error
    if not path.is_dir():
        raise NoWorkspace(f"{path} is not a directory")
    return path


def _record(home: Home, workspace: Path, options: Options) -> SessionRecord:
    """Return what session.json tells, or the record that will be written."""
    found = None
    try:
        found = session_file.load(workspace)
    except session_file.Unreadable:
        found = None  # set aside, and told, once the session is locked
    if found is None or (options.session_id and options.session_id != found.id):
        identity = options.session_id or registry.read(home).id_at(str(workspace)) or stable_id(str(workspace))
        found = SessionRecord(identity, options.name or workspace.name, str(workspace), written(time.time()))
    return SessionRecord(
        id=found.id,
        name=found.name,
        path=str(workspace),
        created_at=found.created_at,
        last_accessed=found.last_accessed,
        more=found.more,
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def _hung(text: str) -> tuple[int, float] | None:
    try:
        pid, seconds = text.split()
        return int(pid), float(seconds)
    except ValueError:
        return None


def _raise_limit() -> int:
    """Raise our own soft limit of descriptors; return the one that agents are given back."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return int(os.environ.get("DESCARTES_SOFT_NOFILE") or soft)
