"""The frames of an attached terminal on a Unix connection.

One byte of kind (`B` bytes of the terminal, `J` a JSON object), four bytes of length (big-endian), the payload.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

from descartes_core.errors import ProtocolError

BYTES, JSON = b"B", b"J"
#: No frame is larger; who sends more output sends more frames.
LARGEST_FRAME = 10 * 1024 * 1024

_HEAD = struct.Struct(">cI")


def bytes_frame(payload: bytes) -> bytes:
    """Return a frame of terminal bytes."""
    return _HEAD.pack(BYTES, len(payload)) + payload


def json_frame(value: dict[str, Any]) -> bytes:
    """Return a frame that tells or asks something."""
    payload = json.dumps(value).encode()
    return _HEAD.pack(JSON, len(payload)) + payload


class FrameReader:
    """Cuts what arrives into frames; one per connection and direction."""

    def __init__(self) -> None:
        self._received = bytearray()

    def __len__(self) -> int:
        """Return how many bytes of an unfinished frame are held."""
        return len(self._received)

    def feed(self, data: bytes) -> Iterator[bytes | dict[str, Any]]:
        """Take what arrived and yield what is complete: terminal bytes, or a JSON object.

        Raises:
            ProtocolError: that is no frame; the connection is of no more use.

        """
        self._received += data
        while len(self._received) >= _HEAD.size:
            kind, length = _HEAD.unpack_from(self._received)
            if kind not in (BYTES, JSON) or length > LARGEST_FRAME:
                raise ProtocolError(f"no frame begins with {bytes(self._received[: _HEAD.size])!r}")
            end = _HEAD.size + length
            if len(self._received) < end:
                return
            payload = bytes(self._received[_HEAD.size : end])
            del self._received[:end]
            yield payload if kind == BYTES else _object(payload)


def _object(payload: bytes) -> dict[str, Any]:
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        raise ProtocolError('a JSON frame holds an object with a "type"')
    return value
