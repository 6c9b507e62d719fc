"""What doctor sees of workspaces that have no daemon now."""

from __future__ import annotations

import contextlib
import shlex
import socket
from collections.abc import Iterator

from descartes_cli.remark import Remark, ok, warning, wrong
from descartes_cli.transfer_left import look_at_exports, look_at_imports
from descartes_core.errors import DescartesError
from descartes_core.session_life import State
from descartes_local.config_quick import complaint_about
from descartes_local.home import Home
from descartes_orchestrator.identity import Session
from descartes_orchestrator.listing import list_sessions
from descartes_orchestrator.sessions import config_of


def look_at_sessions(home: Home) -> Iterator[Remark]:
    """Walk over what is to be said of workspaces, their files and their ports."""
    try:
        listing = list_sessions(home)
    except DescartesError:
        return  # the configuration is broken, which is told elsewhere
    yield ok("workspaces", f"{len(listing.sessions)} are known or found")
    for note in listing.notes:
        yield warning("workspaces", note, "descartes sessions list shows what is known")
    for path, reason in listing.errors:
        yield warning("search", f"{path} was not searched: {reason}", "name other discovery.search_paths, or mend it")
    yield from look_at_imports(home)
    for session in listing.sessions:
        if session.run is None and not session.is_copy:
            yield from look_at_exports(home, session)
        for note in session.notes:
            yield warning(f"session {session.name}", note, f"descartes sessions show {shlex.quote(str(session.path))}")
        # A copy tells of its original's ports; what is archived does not start.
        if session.run is None and not session.is_copy and session.status is not State.ARCHIVED:
            yield from _ports(session)
            if complaint := complaint_about(
                home, workspace=session.path, session_id=session.id, config_file=config_of(session)
            ):
                yield wrong(f"session {session.name}", f"will not start: {complaint}", "mend the file it names")


def _ports(session: Session) -> Iterator[Remark]:
    for port in session.record.ports or ():
        if not _is_free(port):
            text = f"its port {port} is taken by somebody else: its daemon will get another pair"
            yield warning(f"session {session.name}", text, f"ss -ltnp 'sport = :{port}' shows by whom")


def _is_free(port: int) -> bool:
    with contextlib.closing(socket.socket()) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
