"""A daemon's settings reach its TCP doors."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from descartes_daemon.counts import OpenNow
from descartes_daemon.dispatch import Dispatcher
from descartes_daemon.doors import TcpDoors
from descartes_daemon.feed import Feed
from descartes_daemon.once import Once
from descartes_daemon.session_upkeep import Endpoints
from descartes_daemon.sockets import Listening, bind_unix
from descartes_daemon.store import Store
from descartes_local.config_sections import Server
from tests.support.tcp_doors import TOKEN, listening, said

pytestmark = pytest.mark.anyio


@contextlib.asynccontextmanager
async def opened(short: Path, settings: Server) -> AsyncIterator[tuple[int, list[str]]]:
    """Serve with these settings; give the HTTP port and the notices."""
    http, ws, unix = listening(), listening(), bind_unix(short / "s")
    endpoints = Endpoints("127.0.0.1", http.getsockname()[1], ws.getsockname()[1], str(short / "s"))
    stop, ready, notices = asyncio.Event(), asyncio.Event(), list[str]()
    async with Store.open(short / "state.db") as store:
        doors = TcpDoors(settings, Dispatcher(Once(store)), Feed(store), TOKEN, "an instance", OpenNow(), ())
        with contextlib.closing(Listening(http, ws, unix, endpoints, is_own=True)) as sockets:
            async with asyncio.TaskGroup() as group, asyncio.timeout(20):
                group.create_task(doors.serve(sockets, stop, ready=ready, notices=notices))
                await ready.wait()
                try:
                    yield endpoints.http_port, notices
                finally:
                    stop.set()


def ask(port: int, path: str, more: str = "", body: bytes = b"") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n"
    return (head + more + f"Content-Length: {len(body)}\r\n\r\n").encode() + body


async def test_limits_are_those_that_were_configured(short: Path) -> None:
    settings = Server(max_message=1024, max_nesting=4, enable_metrics=False)
    async with opened(short, settings) as (port, _):
        kind = "Content-Type: application/json\r\n"
        assert (await said(port, ask(port, "/rpc", kind, b" " * 1025))).status == 413
        deep = b'{"jsonrpc": "2.0", "id": 1, "method": "x", "params": {"a": [[[[]]]]}}'
        assert (await said(port, ask(port, "/rpc", kind, deep))).json["error"]["code"] == -32700
        metrics = ask(port, "/metrics").replace(b"POST", b"GET", 1)
        assert (await said(port, metrics)).status == 404


async def test_a_taken_port_of_metrics_is_told_and_all_else_is_served(short: Path) -> None:
    with contextlib.closing(listening()) as stranger:
        taken = stranger.getsockname()[1]
        async with opened(short, Server(metrics_port=taken)) as (port, notices):
            assert len(notices) == 1
            assert str(taken) in notices[0]
            assert (await said(port, ask(port, "/rpc/nothing"))).status == 404


async def test_metrics_have_a_port_of_their_own_where_one_is_named(short: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with opened(short, Server(metrics_port=port)) as (_, notices):
        assert notices == []
        # Nobody answers the method here; what counts is that the port is served, and nothing else on it.
        request = f"GET {{}} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
        assert (await said(port, request.format("/health").encode())).status == 404
        assert (await said(port, request.format("/metrics").encode())).status != 401
