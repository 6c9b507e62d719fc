"""What a receiver answers, as far as it counts: the status, and a bounded rest."""

from __future__ import annotations

import asyncio
import re

#: The most that is read of an answer, bytes.
LARGEST_ANSWER = 64 * 1024
#: A length in more digits means more than is read, and cost more to be read than the rest.
_LENGTH = re.compile(rb"[0-9]{1,9}")
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?=[ \r\n])")


class Nonsense(Exception):
    """What came is no answer of HTTP."""


async def status_of(reader: asyncio.StreamReader) -> int:
    """Return the final status; interim ones (100 to 199) are passed over, within the most that is read.

    Raises:
        Nonsense: it is no answer, or none that ends.

    """
    room = LARGEST_ANSWER
    while True:
        line = await _line(reader)
        found = _STATUS.match(line)
        if found is None:
            raise Nonsense("ended without an answer" if not line else "answered what is no HTTP")
        status = int(found[1])
        if status >= 200:
            return status
        while line.strip():
            room -= len(line)
            if room < 0:
                raise Nonsense("answered without end")
            line = await _line(reader)


async def rest_of(reader: asyncio.StreamReader) -> bytes:
    """Return the body, as far as it is read."""
    room, length = LARGEST_ANSWER, LARGEST_ANSWER
    while (line := await _line(reader)).strip():
        room -= len(line)
        if room < 0:
            return b""
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and (found := _LENGTH.fullmatch(value.strip())):
            length = int(found[0])
    pieces: list[bytes] = []
    left = min(length, room)
    while left > 0 and (piece := await reader.read(left)):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readline()
    except ValueError:
        raise Nonsense("answered a line without end") from None
