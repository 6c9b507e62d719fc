"""Call one daemon, so that a change is done once."""

from __future__ import annotations

import signal
import time
from typing import Any

from descartes_cli.hanging import SILENCE, watch_over
from descartes_core.errors import DaemonUnreachable
from descartes_core.ids import new_id
from descartes_local.rpc_client import Connection

#: Longer than the longest grace: ending a tree takes as long as it takes.
LONGEST = 3700.0
#: How long a daemon that broke off, or is silent, may take to be back.
PATIENCE = 30.0
#: Only where nobody holds the socket meanwhile; else the connection itself waits.
_PAUSE = 0.2


def change(socket: str, method: str, params: dict[str, Any], *, timeout: float = LONGEST) -> Any:
    """Call a method that changes something; repeated once with the same request_id when the connection breaks.

    The supervisor holds the socket of a daemon that was killed: the repeat waits there for the next one.

    Raises:
        DescartesError: what the daemon answered.
        DaemonUnreachable: nobody listens, or the connection broke twice.

    """
    params = {**params, "request_id": params.get("request_id") or new_id()}
    with _connected(socket, timeout) as connection:
        try:
            return connection.call(method, params)
        except DaemonUnreachable:
            pass
    with _connected(socket, timeout) as connection:
        return connection.call(method, params)


def read(socket: str, method: str, params: dict[str, Any], *, timeout: float = 30.0) -> Any:
    """Call a method that changes nothing; asked again, for a while, when the connection breaks.

    Raises:
        DescartesError: what the daemon answered.
        DaemonUnreachable: nobody listens, or not again within the patience.

    """
    with _connected(socket, timeout) as connection:
        try:
            return connection.call(method, params)
        except DaemonUnreachable:
            ends = time.monotonic() + PATIENCE
    while True:
        try:
            with _connected(socket, timeout) as connection:
                return connection.call(method, params)
        except DaemonUnreachable:
            if time.monotonic() > ends:
                raise
            time.sleep(_PAUSE)


def _connected(socket: str, timeout: float) -> Connection:
    """Connect to a daemon that may hang: its silence is told to the supervisor."""
    connection = Connection(socket, timeout=timeout)
    connection.on_silence = SILENCE, watch_over(socket)
    return connection


def exit_status(agent: dict[str, Any]) -> int:
    """Return what a shell would have for the end of this agent; an unknown end is no success."""
    if agent["exit_code"] is not None:
        return int(agent["exit_code"])
    if agent["signal"] is not None:
        return 128 + signal_number(agent["signal"])
    return 1


def signal_number(name: str) -> int:
    """Return the number of a signal's name, 0 for one that this system does not have."""
    try:
        return int(signal.Signals[name])
    except KeyError:
        return int(name.removeprefix("SIG")) if name.removeprefix("SIG").isdigit() else 0
