"""Follow the events of many daemons at once, over their deaths."""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from descartes_cli.render import say_wrong
from descartes_core.jsonrpc import request, result_of
from descartes_local.home import Home
from descartes_local.inotify import DELETE, MOVED_TO, ONLYDIR, Inotify
from descartes_local.peer import connect_to_ours
from descartes_local.run_file import RunFile, read_run_files

#: One question waits this long at the daemon; new sessions that the kernel does not tell of are seen at the next.
_ROUND = 15.0
#: For a daemon that is busy; for one that is away, where the kernel does not tell when there is another.
_PAUSE = 1.0
_PAGE = 1000


@dataclass(slots=True)
class _Stream:
    """One session's events from a cursor on; None: from now."""

    run: RunFile
    since: int | None
    wanted: dict[str, Any]
    connection: socket.socket | None = None
    received: bytes = b""


def follow(
    home: Home, only: str | None, since: int | None, wanted: dict[str, Any] | None = None
) -> Iterator[dict[str, Any]]:
    """Walk over events as they happen, each once, in order within its session; it never ends by itself.

    Args:
        home: Whose sessions.
        only: One session's id; None: all, also those that start meanwhile.
        since: The seq after which to begin; None: from now.
        wanted: What else `event.list` is asked: the filter, times; None: everything.

    """
    streams: dict[str, _Stream] = {}
    is_first = True
    with selectors.DefaultSelector() as selector, _told_of_sessions(home, selector) as is_told:
        while True:
            runs = {run.session_id: run for run in read_run_files(home)}
            for run in runs.values():
                if only in (None, run.session_id) and run.session_id not in streams:
                    # What a session that starts meanwhile does is all news.
                    streams[run.session_id] = _Stream(run, since if is_first else 0, wanted or {})
            is_first = False
            asked = [_ask(stream, selector) for stream in streams.values() if stream.connection is None]
            # A session that was stopped has no run file, and is not asked for until it has one; what a daemon that
            # was killed left stays until the next one writes its own, of which the kernel tells.
            away = any(stream.connection is None and key in runs for key, stream in streams.items())
            is_soon = not all(asked) or (away and not is_told)
            for key, _ in selector.select(_PAUSE if is_soon else _ROUND):
                if isinstance(key.data, Inotify):
                    key.data.read()
                else:
                    yield from _receive(key.data, selector)


@contextlib.contextmanager
def _told_of_sessions(home: Home, selector: selectors.BaseSelector) -> Iterator[bool]:
    """Let the kernel wake the selector when a session starts or stops, and give whether it does."""
    is_told = False
    with contextlib.ExitStack() as opened:
        with contextlib.suppress(OSError):
            inotify = Inotify()
            opened.callback(inotify.close)
            inotify.add(home.run, MOVED_TO | DELETE | ONLYDIR)
            selector.register(inotify.descriptor, selectors.EVENT_READ, inotify)
            is_told = True
        yield is_told


def say_gap(session: str, since: int, reply: dict[str, Any]) -> None:
    """Tell of events that are kept no more."""
    if (until := reply.get("gap_until")) is not None:
        say_wrong(f"{session}: events {since + 1} to {until - 1} are kept no more")


def _ask(stream: _Stream, selector: selectors.BaseSelector) -> bool:
    """Ask for what is new, or find that nobody is there; False where somebody is, and has no time."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.setblocking(False)
    try:
        connect_to_ours(connection, stream.run.socket)
    except OSError as error:
        connection.close()
        return not isinstance(error, BlockingIOError)
    stream.connection, stream.received = connection, b""
    selector.register(connection, selectors.EVENT_READ, stream)
    _send(stream, selector)
    return True


def _send(stream: _Stream, selector: selectors.BaseSelector) -> None:
    # A seq that is not there yet is refused: a look at the newest one comes first.
    since = 0 if stream.since is None else stream.since
    params = {
        **stream.wanted,
        "since": since,
        "limit": 1 if stream.since is None else _PAGE,
        "wait": 0.0 if stream.since is None else _ROUND,
    }
    assert stream.connection is not None
    try:
        stream.connection.sendall(request("event.list", params, 1))  # far less than any socket's buffer
    except OSError:
        _drop(stream, selector)


def _receive(stream: _Stream, selector: selectors.BaseSelector) -> Iterator[dict[str, Any]]:
    assert stream.connection is not None
    try:
        piece = stream.connection.recv(262_144)
    except BlockingIOError:
        return
    except OSError:
        piece = b""
    if not piece:
        _drop(stream, selector)
        return
    stream.received += piece
    if not stream.received.endswith(b"\n"):
        return
    answer = json.loads(stream.received)
    stream.received = b""
    reply = result_of(answer)
    if stream.since is None:
        stream.since = int(reply["last_seq"])
    else:
        say_gap(stream.run.name, stream.since, reply)
        stream.since = int(reply["next_since"])
        yield from ({"session_id": stream.run.session_id, **event} for event in reply["events"])
    _send(stream, selector)


def _drop(stream: _Stream, selector: selectors.BaseSelector) -> None:
    """Ask again later, from the same cursor: nothing is told twice, nothing left out."""
    assert stream.connection is not None
    selector.unregister(stream.connection)
    stream.connection.close()
    stream.connection = None
