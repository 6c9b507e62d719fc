"""The server costs nothing at rest, and ends in time."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest
import websockets

from tests.support.rows import told
from tests.support.tcp_doors import TOKEN, listening, open_doors, served

pytestmark = pytest.mark.anyio


async def test_at_rest_no_timer_is_set(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors:
        await doors.ask("GET", "/health")
        timers = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
        assert [timer for timer in timers if not timer.cancelled()] == []


async def test_who_came_before_the_daemon_is_answered(tmp_path: Path) -> None:

    door = listening()
    early = socket.create_connection(door.getsockname())
    early.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    early.setblocking(False)
    async with served(nothing_here, [door]):
        with early:
            assert await asyncio.get_running_loop().sock_recv(early, 12) == b"HTTP/1.1 500"


async def nothing_here(_scope: object, _receive: object, _send: object) -> None:
    return None


async def test_the_end_waits_for_what_was_asked(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors:
        asking = asyncio.create_task(doors.rpc({"jsonrpc": "2.0", "id": 1, "method": "slow"}))
        while not doors.dispatcher.calls:
            await doors.ask("GET", "/nothing")
        doors.stop.set()
        while await is_open(doors.http):
            pass
        doors.dispatcher.go_on.set()
        assert (await asking)["result"] == {"done": True}


async def test_the_end_does_not_wait_for_ever(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with open_doors(tmp_path, grace=0.05) as doors:
        idle = socket.create_connection(("127.0.0.1", doors.http))
        asking = asyncio.create_task(doors.rpc({"jsonrpc": "2.0", "id": 1, "method": "slow"}))
        while not doors.dispatcher.calls:
            await doors.ask("GET", "/nothing")
    assert (await asking)["error"]["data"]["code"] == "unavailable"
    assert "Traceback" not in caplog.text
    with idle:
        assert idle.recv(1) == b""


async def test_a_listener_is_told_that_the_daemon_restarts(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors:
        async with doors.listen() as listener:
            doors.stop.set()
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await listener.recv()
        assert closed.value.rcvd
        assert closed.value.rcvd.code == 1012


async def test_too_many_connections_are_refused(tmp_path: Path) -> None:
    async with open_doors(tmp_path, max_connections=3) as doors:
        idle = [await asyncio.open_connection("127.0.0.1", doors.http) for _ in range(3)]
        assert (await doors.ask("GET", "/health")).status == 503
        for _, writer in idle:
            writer.close()
            await writer.wait_closed()
        while (await doors.ask("GET", "/health")).status != 200:
            pass


async def test_the_kernel_lets_a_stuck_reader_go(tmp_path: Path) -> None:
    """One that took nothing any more kept its connection, and 64 KiB of ours, until it ended by itself."""
    async with open_doors(tmp_path, stuck_after=0.2) as doors:
        reader, writer = await asyncio.open_connection("127.0.0.1", doors.ws)
        writer.write(handshake(doors.ws))
        await reader.readuntil(b"\r\n\r\n")
        writer.write(frame(b'{"type": "Subscribe"}'))
        await reader.readuntil(b"SubscriptionConfirmed")
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        both_ends = len(os.listdir("/proc/self/fd"))
        async with asyncio.timeout(20):
            while len(os.listdir("/proc/self/fd")) == both_ends:
                await doors.store.commit(told("x", fill="y" * 200_000))
        writer.transport.abort()  # type: ignore[attr-defined]


async def is_open(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionError:
        return False
    writer.close()
    return True


def handshake(port: int) -> bytes:
    return (
        f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {TOKEN}\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    ).encode()


def frame(payload: bytes) -> bytes:
    """Return a client's text frame; a mask of zeros changes nothing."""
    return bytes([0x81, 0x80 | len(payload)]) + bytes(4) + payload
