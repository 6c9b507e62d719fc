"""Be enrolled by a hub: the newcomer's half of a one-time token."""

from __future__ import annotations

import contextlib
import socket as sockets
import time
from pathlib import Path
from typing import Any

import zmq
from zmq.utils.monitor import parse_monitor_message

from descartes_core.bus.codec import decode, encode
from descartes_core.bus.invitation import Invitation, read_token
from descartes_core.bus.messages import EnrollRequest, EnrollResponse, Problem, Role
from descartes_core.errors import Conflict, Unauthorized, Unavailable, from_wire
from descartes_core.ids import new_id
from descartes_local.bus_file import Keys, read_keys, write_keys
from descartes_local.home import make_private

#: A hub answers at once; a TCP connection that nobody takes may hang longer than anybody waits.
PATIENCE = 20.0
#: What a person may do where no hub is found.
_REMEDY = (
    "is it running (descartes hub status, there), does a firewall let this port through, and does this machine "
    "reach it by that address? descartes hub enroll --advertise HOST makes a token with another one"
)
_REFUSED = zmq.EVENT_HANDSHAKE_FAILED_AUTH
_STRANGE = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL


def make_keys() -> Keys:
    """Return a fresh CURVE key pair."""
    public, secret = zmq.curve_keypair()
    return Keys(public.decode(), secret.decode())


def keys_of(path: Path) -> Keys:
    """Return the key pair of a file; made by who comes first, and never again: others know us by it.

    Raises:
        Unavailable: it cannot be read, or not be made.

    """
    keys = read_keys(path)
    if keys is None:
        keys = make_keys()
        try:
            make_private(path.parent)
            write_keys(path, keys)
        except OSError as error:
            raise Unavailable(f"{path} cannot be written: {error.strerror or error}") from error
    return keys


def enroll(
    token: str, keys: Keys, *, name: str = "", role: Role | None = None, patience: float = PATIENCE
) -> tuple[Invitation, EnrollResponse]:
    """Make a key known at the hub that a token names, and return both as they are known there.

    It may be repeated with the same key, as after an answer that was lost.

    Args:
        token: As `hub enroll` printed it.
        keys: The newcomer's own.
        name: What it would like to be called, where the token names nobody.
        role: What it means to be; a token for something else is not spent.
        patience: Seconds until nobody is expected to answer any more.

    Raises:
        InvalidParams: the token is none.
        Unauthorized: the hub does not let it in: it was used, has expired, or was taken back.
        Conflict: another hub answers there.
        Unavailable: nobody answers.
        DescartesError: the hub refused; the class that its code names.

    """
    invitation = read_token(token)
    _refuse_unknown_host(invitation.endpoint)
    with contextlib.ExitStack() as stack:
        context = stack.enter_context(zmq.Context())
        socket = stack.enter_context(context.socket(zmq.DEALER))
        socket.linger = 0
        secret = invitation.secret.encode()
        try:
            socket.curve_publickey, socket.curve_secretkey = zmq.curve_public(secret), secret
            socket.curve_serverkey = invitation.hub_key.encode()
            monitor = stack.enter_context(socket.get_monitor_socket(_REFUSED | _STRANGE))
            monitor.linger = 0
            stack.callback(socket.disable_monitor)
            socket.connect(invitation.endpoint)
        except zmq.ZMQError as error:
            raise Unavailable(f"{invitation.endpoint} cannot be used: {error}") from error
        request = EnrollRequest(request_id=new_id(), public_key=keys.public, name=name, role=role)
        socket.send(encode(request))
        answer = decode(_answer(socket, monitor, invitation.endpoint, patience))
    if isinstance(answer, EnrollResponse) and answer.success:
        return invitation, answer
    if isinstance(answer, EnrollResponse | Problem):
        raise from_wire(answer.code or "error", answer.error or "the hub refused")
    raise Unavailable(f"the hub at {invitation.endpoint} answered with {answer.type}")


def _answer(socket: zmq.Socket[bytes], monitor: Any, endpoint: str, patience: float) -> bytes:
    poller = zmq.Poller()
    poller.register(socket, zmq.POLLIN)
    poller.register(monitor, zmq.POLLIN)
    ends = time.monotonic() + patience
    strange = False
    while (left := ends - time.monotonic()) > 0:
        ready = dict(poller.poll(int(left * 1000) + 1))
        if socket in ready:
            return socket.recv_multipart()[-1]
        if monitor in ready:
            event = parse_monitor_message(monitor.recv_multipart())["event"]
            if event == _REFUSED:
                raise Unauthorized("the hub does not let this token in: it was used, has expired, or was taken back")
            if strange:
                raise Conflict(f"another hub than the token's answers at {endpoint}, or none at all")
            strange = True  # once may be a hub that ends just now
    raise Unavailable(f"no hub answers at {endpoint} within {patience:g} s: {_REMEDY}")


def _refuse_unknown_host(endpoint: str) -> None:
    """Say at once what zmq would only be silent about.

    Raises:
        Unavailable: this machine knows nobody of that name.

    """
    scheme, _, place = endpoint.partition("://")
    host = place.rpartition(":")[0].strip("[]")
    if scheme != "tcp" or not host:
        return
    try:
        sockets.getaddrinfo(host, None, type=sockets.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Unavailable(
            f"the token names the hub {endpoint}, and {host} is not known here ({reason}): {_REMEDY}"
        ) from error
