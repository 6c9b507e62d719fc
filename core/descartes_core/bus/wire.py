"""The frames around a message: whom it is for, and whose it is (docs/bus.md)."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from typing import TypeVar

from descartes_core.errors import ProtocolError

#: Bytes, or a socket's own frame.
_Frame = TypeVar("_Frame", bound=Sized)

#: Bytes of a name in a frame.
LONGEST_NAME = 800


def addressed(to: str, body: bytes) -> list[bytes]:
    """Return what a peer sends: to another peer, or ("") to the hub itself."""
    return [to.encode(), body] if to else [body]


def destination(frames: Sequence[bytes]) -> tuple[str, bytes, bool]:
    """Return for the hub whom a peer's message is for, its body, and whether it was sent by a REQ.

    Raises:
        ProtocolError: nobody sends such frames.

    """
    named, body, is_req = unfolded(frames)
    return "" if named is None else _name(named), body, is_req


def unfolded(frames: Sequence[_Frame]) -> tuple[_Frame | None, _Frame, bool]:
    """Return the name's frame (None: the hub is meant), the body, and whether there was the delimiter of a REQ.

    Raises:
        ProtocolError: nobody sends such frames.

    """
    is_req = len(frames) > 1 and not len(frames[0])
    rest = frames[1:] if is_req else frames
    if not 1 <= len(rest) <= 2:
        raise ProtocolError(f"a message has one or two frames, not {len(rest)}")
    return rest[0] if len(rest) == 2 else None, rest[-1], is_req


def received(frames: Sequence[bytes]) -> tuple[str, bytes]:
    """Return who sent what the hub handed over ("": the hub itself), and the body.

    Raises:
        ProtocolError: no hub sends such frames.

    """
    if len(frames) != 2:
        raise ProtocolError(f"the hub sends two frames, not {len(frames)}")
    return _name(frames[0]), frames[1]


def _name(frame: bytes) -> str:
    if len(frame) > LONGEST_NAME:
        raise ProtocolError(f"a name of {len(frame)} bytes is none")
    try:
        return frame.decode()
    except UnicodeDecodeError:
        raise ProtocolError("a name is UTF-8") from None
