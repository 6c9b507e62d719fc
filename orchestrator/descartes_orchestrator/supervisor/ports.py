"""Bind a pair of ports, once and for good."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable, Iterator

from descartes_core.errors import PortsTaken

HOST = "127.0.0.1"
#: The original's base ports: HTTP, WebSocket.
BASES = (19280, 19380)
#: How many pairs are tried.
TRIES = 200
#: More than any system allows: it takes its own maximum then (net.core.somaxconn).
BACKLOG = 65_535

Pair = tuple[int, int]


def pairs(bases: Pair = BASES) -> Iterator[Pair]:
    """Yield the pairs to try: both ranges step as one, and skip each other's ports."""
    http, ws = bases
    distance = abs(ws - http) or 1
    # Where the ranges would meet, both step over the block that belongs to the other.
    for number in range(TRIES):
        offset = number + number // distance * distance
        if http != ws and max(http, ws) + offset <= 65_535:
            yield http + offset, ws + offset


def bind_pair(
    preferred: Pair | None = None, *, bases: Pair = BASES, held: Iterable[int] = ()
) -> tuple[socket.socket, socket.socket]:
    """Return two listening sockets: on the preferred ports, else on the first free pair.

    Raises:
        PortsTaken: all are taken.

    """
    mine = set(held)
    candidates = ([preferred] if preferred else []) + list(pairs(bases))
    for http, ws in candidates:
        if mine.isdisjoint((http, ws)):
            with contextlib.suppress(OSError):
                return _bind_both(http, ws)
    raise PortsTaken(
        f"no two of the {TRIES} pairs of ports from {bases[0]} and {bases[1]} on are free: "
        "end what listens there, or set supervisor.http_base and supervisor.ws_base"
    )


def _bind_both(http: int, ws: int) -> tuple[socket.socket, socket.socket]:
    first = _bind(http)
    try:
        return first, _bind(ws)
    except OSError:
        first.close()
        raise


def _bind(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # What remains of ended connections must not hold the port; a listening stranger still does.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(BACKLOG)
    except OverflowError as error:
        listener.close()
        raise OSError(str(error)) from error
    except OSError:
        listener.close()
        raise
    return listener
