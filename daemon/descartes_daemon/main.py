"""The command `descartes-daemon`: one session's daemon, in the foreground."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import resource
import signal
import sys
import time
from pathlib import Path

from descartes_core import VERSION, kept
from descartes_core.errors import DescartesError, NoWorkspace
from descartes_core.ids import stable_id
from descartes_core.session_record import SessionRecord
from descartes_core.times import written
from descartes_daemon.serve import Setup, serve
from descartes_daemon.sockets import take_inherited
from descartes_local import registry, session_file
from descartes_local.config import load
from descartes_local.home import Home, find_home, make_private
from descartes_local.subreaper import become_subreaper


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to end; return the exit code of what went wrong, 0 otherwise."""
    options = _parser().parse_args(arguments)
    try:
        setup = _prepare(options)
        asyncio.run(serve(setup))
    except DescartesError as error:
        print(f"descartes-daemon: {error.message}", file=sys.stderr)  # noqa: T201 - this is its one line
        return error.exit
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="descartes-daemon",
        description="Serve one workspace: its agents, over HTTP, WebSocket and a Unix socket.",
        epilog="Usually `descartes` starts it. It ends on TERM or INT.",
    )
    parser.add_argument("--workdir", type=Path, default=Path(), help="the workspace (default: the current directory)")
    parser.add_argument("--http-port", type=_port, help="default: server.http_port, 8080")
    parser.add_argument("-w", "--ws-port", type=_port, help="default: server.ws_port, 8081")
    parser.add_argument("-c", "--config", type=Path, help="a configuration file")
    parser.add_argument("-l", "--log-level", choices=["debug", "info", "warning", "error"], help="default: log.level")
    parser.add_argument("--session-id", help="the session's id (default: what session.json says)")
    parser.add_argument("--name", help="the session's name (default: what session.json says)")
    parser.add_argument("--version", action="version", version=VERSION)
    return parser


def _port(text: str) -> int:
    port = int(text) if text.isdecimal() else 0
    if not 1 <= port <= 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port (1 to 65535)")
    return port


def _prepare(options: argparse.Namespace) -> Setup:
    inherited = take_inherited(os.environ)
    home = find_home()
    home.make()
    workspace = _workspace(options.workdir, goes_on=kept.LOCK_DATA in inherited)
    record = _record(home, workspace, options)
    settings = load(home, workspace=workspace, session_id=record.id, config_file=options.config)
    data = home.session(record.id)
    make_private(data)
    _log_to(options.log_level or settings.log.level, data / "daemon.log")
    become_subreaper()
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
        soft_nofile=_raise_limit(),
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


def _record(home: Home, workspace: Path, options: argparse.Namespace) -> SessionRecord:
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


def _raise_limit() -> int:
    """Raise our own soft limit of descriptors; return the one that agents are given back."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return int(os.environ.get("DESCARTES_SOFT_NOFILE") or soft)


def _log_to(level: str, path: Path) -> None:
    """Log to standard error; where that is daemon.log, HUP opens it anew (after it was moved away)."""
    logging.basicConfig(
        level=level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    logging.getLogger("asyncio").setLevel(logging.WARNING)

    def reopen(_number: int, _frame: object) -> None:
        if not os.isatty(2):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
            os.close(descriptor)

    signal.signal(signal.SIGHUP, reopen)
