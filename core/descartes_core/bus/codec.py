"""Messages of the bus to bytes and back."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgpack  # type: ignore[import-untyped]
from pydantic import TypeAdapter, ValidationError

from descartes_core.bus.messages import LARGEST, AnyMessage, Message
from descartes_core.errors import ProtocolError, TooLarge

#: Values of one message, all together: each takes a hundred times the memory and the time of its bytes. A list of
#: agents has as many when it is about LARGEST.
MOST_VALUES = 500_000
#: Beyond these only their number is told: pydantic makes a description of each before any can be read.
_MOST_ERRORS = 1000


@cache
def _any() -> TypeAdapter[Any]:
    return TypeAdapter(AnyMessage)


def encode(message: Message) -> bytes:
    """Return a message as one msgpack map; what is None is left out.

    Raises:
        TooLarge: it has more than LARGEST bytes, and nobody would take it.
        ProtocolError: something in it cannot be said: nested too deeply, a number too large, text that is none.

    """
    try:
        frame: bytes = msgpack.packb(message.model_dump(exclude_none=True))
    except (ValueError, OverflowError, TypeError) as error:
        raise ProtocolError(f"this cannot be said on the bus: {type(error).__name__}") from error
    if len(frame) > LARGEST:
        raise TooLarge(f"a message of {len(frame)} bytes is more than the {LARGEST} that the bus takes")
    return frame


def decode(frame: bytes | memoryview, *, largest: int = LARGEST, most_values: int = MOST_VALUES) -> Any:
    """Return the message that a frame holds.

    Raises:
        TooLarge: it has more than `largest` bytes, and was not looked at, or more than `most_values` values.
        ProtocolError: it holds none; the text says why, without any of its content.

    """
    if len(frame) > largest:
        raise TooLarge(f"a message of {len(frame)} bytes is more than the {largest} that is taken here")
    left = most_values

    def counted(container: Any) -> Any:
        nonlocal left
        left -= len(container)
        if left < 0:
            raise ValueError
        return container

    try:
        value = msgpack.unpackb(
            frame,
            use_list=False,
            strict_map_key=True,
            object_hook=counted,
            list_hook=counted,
            max_array_len=most_values,
            max_map_len=most_values,
        )
    except Exception as error:  # msgpack raises many kinds, ValueError and its own among them
        if left < 0:
            raise TooLarge(f"a message of more than {most_values} values is more than is taken here") from None
        raise ProtocolError(f"that is no msgpack: {type(error).__name__}") from None
    if not isinstance(value, dict):
        raise ProtocolError("a message is a map")
    try:
        return _any().validate_python(value)
    except ValidationError as error:
        if error.error_count() > _MOST_ERRORS:
            raise ProtocolError(f"{error.error_count()} values of it are wrong") from None
        told = [f"{'.'.join(map(str, one['loc'])) or 'message'}: {one['msg']}" for one in error.errors()[:3]]
        raise ProtocolError("; ".join(told)[:500]) from None
