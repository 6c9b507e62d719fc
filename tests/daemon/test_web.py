"""The server costs nothing at rest, and ends in time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from pathlib import Path

import pytest
import websockets

from descartes_daemon.visitors import LET_IN_AT_ONCE
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


async def test_too_many_busy_connections_are_refused(tmp_path: Path) -> None:
    async with open_doors(tmp_path, max_connections=3) as doors, contextlib.AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(doors.listen())
        slow = asyncio.create_task(doors.rpc({"jsonrpc": "2.0", "id": 1, "method": "slow"}))
        await doors.dispatcher.asked.wait()
        refused = await doors.ask("GET", "/stats")
        assert (refused.status, refused.code) == (503, "limit_reached")
        assert (await doors.ask("GET", "/health")).status == 200
        with pytest.raises(websockets.InvalidStatus) as told:
            async with doors.listen():
                pass
        assert told.value.response.status_code == 503
        doors.dispatcher.go_on.set()
        await slow
        assert (await doors.ask("GET", "/health")).status == 200


async def test_those_that_say_nothing_make_room(tmp_path: Path) -> None:
    """The oldest leaves first; who asks is answered, however many say nothing."""
    async with open_doors(tmp_path, max_connections=3) as doors:
        silent = [await asyncio.open_connection("127.0.0.1", doors.http) for _ in range(50)]
        assert (await doors.ask("GET", "/health")).status == 200
        async with asyncio.timeout(10):
            for reader, _ in silent[:31]:
                with contextlib.suppress(ConnectionError):
                    assert await reader.read() == b""
        assert doors.now.http() <= 3 + 16
        assert doors.now.tcp_total() == 51
        for _, writer in silent:
            writer.transport.abort()


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"GET /health HTTP/1.1\r\nHost: ",
        b"POST /rpc HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer " + TOKEN.encode() + b"\r\n"
        b"Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{",
    ],
)
async def test_who_does_not_go_on_is_cut_off(tmp_path: Path, begun: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with open_doors(tmp_path, read_timeout=0.1) as doors:
        reader, writer = await asyncio.open_connection("127.0.0.1", doors.http)
        writer.write(begun.replace(b"{port}", str(doors.http).encode()))
        async with asyncio.timeout(10):
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        writer.close()
        assert (await doors.ask("GET", "/health")).status == 200
        assert "Traceback" not in caplog.text


async def test_a_head_that_comes_byte_by_byte_has_one_deadline(tmp_path: Path) -> None:
    async with open_doors(tmp_path, read_timeout=0.3) as doors:
        reader, writer = await asyncio.open_connection("127.0.0.1", doors.http)
        ended = asyncio.create_task(reader.read())
        async with asyncio.timeout(10):
            while not ended.done():
                writer.write(b"x")
                await asyncio.wait([ended], timeout=0.02)
        writer.close()


async def test_a_kept_connection_ends_after_a_while_and_no_timer_stays(tmp_path: Path) -> None:
    async with open_doors(tmp_path, idle_timeout=0.1) as doors:
        reader, writer = await asyncio.open_connection("127.0.0.1", doors.http)
        writer.write(f"GET /health HTTP/1.1\r\nHost: 127.0.0.1:{doors.http}\r\n\r\n".encode())
        async with asyncio.timeout(10):
            assert (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()
        timers = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
        assert [timer for timer in timers if not timer.cancelled() and "timeout" not in repr(timer)] == []


async def test_a_handshake_that_only_http_understands_is_ended(tmp_path: Path) -> None:
    """The WebSocket's own parser takes shorter lines; nobody would ever have answered."""
    async with open_doors(tmp_path) as doors:
        reader, writer = await asyncio.open_connection("127.0.0.1", doors.ws)
        writer.write(handshake(doors.ws).replace(b"\r\n\r\n", b"\r\nX: " + b"y" * 9000 + b"\r\n\r\n"))
        async with asyncio.timeout(10):
            await reader.read()
        writer.close()
        assert doors.now.websocket() == 0


async def test_a_message_is_small_until_the_token_is_shown(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors:
        origin = f"http://127.0.0.1:{doors.http}"
        async with doors.listen(additional_headers={}, origin=origin) as stranger:
            await stranger.send("x" * 100_000)
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await stranger.recv()
            assert closed.value.rcvd
            assert closed.value.rcvd.code == 1009
        async with doors.listen() as known:
            await known.send("x" * 100_000)
            assert "Error" in str(await known.recv())


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


async def test_half_bodies_together_are_bounded(tmp_path: Path) -> None:
    """Each may be as long as a message; three hundred of them were two gigabytes."""
    async with open_doors(tmp_path, max_message=1024 * 1024, built={"max_message": 1024 * 1024}) as doors:
        head = (
            f"POST /rpc HTTP/1.1\r\nHost: 127.0.0.1:{doors.http}\r\nAuthorization: Bearer {TOKEN}\r\n"
            "Content-Type: application/json\r\nContent-Length: 1048576\r\n\r\n"
        ).encode()
        ends = []
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(12):
                reader, writer = await asyncio.open_connection("127.0.0.1", doors.http)
                stack.callback(writer.close)
                writer.write(head + b" " * 1_000_000)
                ends.append(asyncio.create_task(end_of(reader)))
            async with asyncio.timeout(20):
                while sum(end.done() for end in ends) < 8:
                    assert (await doors.ask("GET", "/health")).status == 200
            assert sum(end.done() for end in ends) == 8
            for end in ends:
                end.cancel()
            assert {end.result()[:12] for end in ends if end.done() and not end.cancelled()} <= {b"HTTP/1.1 429", b""}


async def end_of(reader: asyncio.StreamReader) -> bytes:
    with contextlib.suppress(ConnectionError):
        return await reader.read()
    return b""


async def test_a_crowd_waits_at_the_doors(tmp_path: Path) -> None:
    """Who did not fit was refused; and who came in at once kept all others waiting."""
    async with open_doors(tmp_path) as doors:
        with contextlib.ExitStack() as stack:
            crowd = [stack.enter_context(socket.create_connection(("127.0.0.1", doors.http))) for _ in range(300)]
            turned = asyncio.Event()
            asyncio.get_running_loop().call_soon(turned.set)
            await turned.wait()
            assert doors.now.tcp_total() <= 3 * LET_IN_AT_ONCE
            assert (await doors.ask("GET", "/health")).status == 200
            assert doors.now.tcp_total() == len(crowd) + 1
