"""Frames that no client of ours sends harm nobody."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import random
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from descartes_core.messages.common import LARGEST_MESSAGE
from tests.support.rows import told
from tests.support.tcp_doors import TOKEN, Doors, open_doors

pytestmark = pytest.mark.anyio

TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9


def frame(opcode: int, payload: bytes, *, final: bool = True, masked: bool = True, length: int | None = None) -> bytes:
    """Return a frame of RFC 6455, or nearly one."""
    size = len(payload) if length is None else length
    mark = 0x80 if masked else 0
    if size < 126:
        head = struct.pack(">BB", opcode | (0x80 if final else 0), size | mark)
    else:
        head = struct.pack(">BBQ", opcode | (0x80 if final else 0), 127 | mark, size)
    mask = os.urandom(4)
    body = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload)) if masked else payload
    return head + (mask if masked else b"") + body


@contextlib.asynccontextmanager
async def raw(doors: Doors) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Give a WebSocket whose frames are ours to make."""
    reader, writer = await asyncio.open_connection("127.0.0.1", doors.ws)
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        "GET /events HTTP/1.1",
        f"Host: 127.0.0.1:{doors.ws}",
        *("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"),
        f"Sec-WebSocket-Key: {key}",
        f"Authorization: Bearer {TOKEN}",
    ]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
    async with asyncio.timeout(20):
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def closed_with(reader: asyncio.StreamReader) -> int:
    """Return the code by which the other side closes."""
    async with asyncio.timeout(20):
        while True:
            head = await reader.readexactly(2)
            length = head[1]
            if length == 126:
                (length,) = struct.unpack(">H", await reader.readexactly(2))
            payload = await reader.readexactly(length)
            if head[0] & 0x0F == CLOSE:
                return int(struct.unpack(">H", payload[:2])[0])


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(TEXT, b"\xff\xfe"), 1007),
        (frame(TEXT, b"{}", masked=False), 1002),
        (frame(3, b"a kind there is none of"), 1002),
        (frame(PING, b"x" * 126), 1002),
        (frame(PING, b"x", final=False), 1002),
        (frame(0, b"goes on with nothing"), 1002),
        (frame(TEXT, b"", length=LARGEST_MESSAGE + 1), 1009),
        (frame(TEXT, b"", length=2**63 - 1), 1009),
        (frame(CLOSE, b"\x03"), 1002),
        (frame(CLOSE, struct.pack(">H", 1000)), 1000),
    ],
    ids=[
        "no UTF-8",
        "no mask",
        "kind",
        "long ping",
        "ping in parts",
        "no beginning",
        "10 MiB + 1",
        "huge",
        "short",
        "bye",
    ],
)
async def test_what_breaks_the_rules_is_closed_by_its_code(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, data: bytes, code: int
) -> None:
    async with open_doors(tmp_path) as doors, raw(doors) as (reader, writer):
        writer.write(data)
        assert await closed_with(reader) == code
        await still_told(doors)
    assert "Traceback" not in caplog.text


async def test_a_message_in_ten_thousand_parts_is_taken(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors, raw(doors) as (reader, writer):
        message = b'{"type": "Subscribe", "payload": {}}'.ljust(10_000)
        for index in range(len(message)):
            part = message[index : index + 1]
            writer.write(frame(0 if index else TEXT, part, final=index == len(message) - 1))
        async with asyncio.timeout(20):
            assert b"SubscriptionConfirmed" in await reader.readuntil(b"instance_id")


async def test_half_a_frame_and_silence_keep_nobody_waiting(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors, contextlib.AsyncExitStack() as stack:
        for size in (1, 2, 5, 9):
            _, writer = await stack.enter_async_context(raw(doors))
            writer.write(frame(TEXT, b"x" * 200)[:size])
        await still_told(doors)


@pytest.mark.parametrize("said", [frame(PING, b"x" * 125) * 500, frame(TEXT, b"nonsense") * 500], ids=["pings", "text"])
async def test_who_asks_and_never_reads_is_not_answered_for_ever(tmp_path: Path, said: bytes) -> None:
    """The answers to its pings once piled up, as many as it sent."""
    async with open_doors(tmp_path) as doors, raw(doors) as (reader, writer):
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        sent = 0
        with contextlib.suppress(ConnectionError, TimeoutError):
            while sent < 200 * 1024 * 1024:
                writer.write(said)
                async with asyncio.timeout(2.0):
                    await writer.drain()
                sent += len(said)
        assert sent < 100 * 1024 * 1024
        await still_told(doors)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=40) | st.tuples(st.integers(0, 15), st.binary(max_size=130), st.booleans())))
def test_no_bytes_at_all_take_the_door_down(tmp_path_factory: pytest.TempPathFactory, parts: list[object]) -> None:
    data = b"".join(part if isinstance(part, bytes) else frame(part[0], part[1], final=part[2]) for part in parts)  # type: ignore[index]
    asyncio.run(garbage(tmp_path_factory.mktemp("frames"), data))


async def garbage(directory: Path, data: bytes) -> None:
    async with open_doors(directory) as doors:
        async with raw(doors) as (_, writer):
            writer.write(data)
            if random.random() < 0.5:
                writer.write_eof()
        await still_told(doors)


async def still_told(doors: Doors) -> None:
    """Subscribe, and be told of the next event."""
    async with doors.listen() as socket, asyncio.timeout(20):
        await socket.send('{"type": "Subscribe"}')
        assert "SubscriptionConfirmed" in await socket.recv(decode=True)
        await doors.store.commit(told("heard"))
        assert "heard" in await socket.recv(decode=True)
