"""How a daemon is asked for: a frame of JSON, then descriptors; and the answers."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from descartes_local.descriptors import let_go

#: The name of the channel among the fork server's descriptors.
CHANNEL = "channel"
#: Names of 10,000 descriptors, and a caller's settings.
MOST_BYTES = 8 * 1024 * 1024
#: More than the supervisor keeps for one session.
MOST_DESCRIPTORS = 20_000
#: A pid, or why there is none.
_LONGEST_ANSWER = 65_536
#: The kernel passes no more with one message (SCM_MAX_FD).
_AT_ONCE = 253
_HEAD = struct.Struct("!II")


class Garbled(Exception):
    """The other side does not speak as it should."""


@dataclass(frozen=True, slots=True)
class Request:
    """One daemon that is wanted."""

    #: What follows the program's name.
    arguments: Sequence[str]
    #: All of its environment, the descriptors' variables apart.
    environment: Mapping[str, str]
    #: How it is called in lists of processes.
    title: str
    #: Of what it gets from descriptor 3 on.
    names: Sequence[str]
    #: Standard output and error; the pipe from which the word to go on comes; then those that are named.
    descriptors: Sequence[int]


def send_request(channel: socket.socket, request: Request) -> None:
    """Ask.

    Raises:
        OSError: it cannot be sent, or not in time.

    """
    fields = {
        "arguments": list(request.arguments),
        "environment": dict(request.environment),
        "title": request.title,
        "names": list(request.names),
    }
    body = json.dumps(fields).encode()
    channel.sendall(_HEAD.pack(len(body), len(request.descriptors)) + body)
    for first in range(0, len(request.descriptors), _AT_ONCE):
        socket.send_fds(channel, [b"."], list(request.descriptors[first : first + _AT_ONCE]))


def receive_request(channel: socket.socket) -> Request | None:
    """Return what is asked for next; None when nobody will ask any more.

    Raises:
        Garbled: it is no request.
        OSError: the channel is broken.

    """
    head = _exactly(channel, _HEAD.size)
    if not head:
        return None
    length, count = _HEAD.unpack(head)
    if length > MOST_BYTES or count > MOST_DESCRIPTORS:
        raise Garbled(f"{length} bytes and {count} descriptors are announced")
    try:
        fields = json.loads(_exactly(channel, length))
        parts = (fields["arguments"], fields["environment"], fields["title"], fields["names"])
    except (ValueError, KeyError, TypeError) as error:
        raise Garbled(f"a request that cannot be read: {error}") from error
    descriptors: list[int] = []
    for first in range(0, count, _AT_ONCE):
        expected = min(_AT_ONCE, count - first)
        word, received, _, _ = socket.recv_fds(channel, 1, expected)
        descriptors += received
        if not word or len(received) != expected:
            let_go(descriptors)
            raise Garbled(f"{len(descriptors)} of {count} descriptors came")
    return Request(*parts, descriptors)


def send_answer(channel: socket.socket, **answer: Any) -> None:
    """Answer with one line."""
    channel.sendall(json.dumps(answer).encode() + b"\n")


def receive_answer(channel: socket.socket) -> dict[str, Any]:
    """Return one line's answer; there is never more than one under way.

    Raises:
        Garbled: it is none.
        OSError: the channel is broken, or nothing came in time.

    """
    line = b""
    while not line.endswith(b"\n"):
        piece = channel.recv(4096)
        line += piece
        if not piece or len(line) > _LONGEST_ANSWER:
            raise Garbled("it ended" if not piece else "its answer does not end")
    try:
        answer = json.loads(line)
    except ValueError as error:
        raise Garbled(f"its answer cannot be read: {error}") from error
    if not isinstance(answer, dict):
        raise Garbled("its answer is no object")
    return answer


def _exactly(channel: socket.socket, length: int) -> bytes:
    """Return so many bytes; none when it ended before the first.

    Raises:
        Garbled: it ended in the middle.

    """
    received = bytearray()
    while len(received) < length:
        piece = channel.recv(min(length - len(received), 65_536))
        if not piece:
            if received:
                raise Garbled("a request ended in its middle")
            return b""
        received += piece
    return bytes(received)
