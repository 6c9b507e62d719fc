"""Messages of the bus to bytes and back."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgpack  # type: ignore[import-untyped]
from pydantic import TypeAdapter, ValidationError

from descartes_core.bus.messages import LARGEST, AnyMessage, Message
from descartes_core.errors import ProtocolError, TooLarge


@cache
def _any() -> TypeAdapter[Any]:
    return TypeAdapter(AnyMessage)


def encode(message: Message) -> bytes:
    """Return a message as one msgpack map; what is None is left out.

    Raises:
        TooLarge: it has more than LARGEST bytes, and nobody would take it.

    """
    frame: bytes = msgpack.packb(message.model_dump(exclude_none=True))
    if len(frame) > LARGEST:
        raise TooLarge(f"a message of {len(frame)} bytes is more than the {LARGEST} that the bus takes")
    return frame


def decode(frame: bytes | memoryview) -> Any:
    """Return the message that a frame holds.

    Raises:
        TooLarge: it has more than LARGEST bytes; it was not looked at.
        ProtocolError: it holds none; the text says why, without any of its content.

    """
    if len(frame) > LARGEST:
        raise TooLarge(f"a message of {len(frame)} bytes is more than the {LARGEST} that the bus takes")
    try:
        value = msgpack.unpackb(frame, use_list=False, strict_map_key=True)
    except Exception as error:  # msgpack raises many kinds, ValueError and its own among them
        raise ProtocolError(f"that is no msgpack: {type(error).__name__}") from None
    if not isinstance(value, dict):
        raise ProtocolError("a message is a map")
    try:
        return _any().validate_python(value)
    except ValidationError as error:
        told = [f"{'.'.join(map(str, one['loc'])) or 'message'}: {one['msg']}" for one in error.errors()[:3]]
        raise ProtocolError("; ".join(told)[:500]) from None
