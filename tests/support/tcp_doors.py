"""The two TCP doors on real sockets, and a client of few words."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import websockets
from starlette.types import ASGIApp

from descartes_core.errors import AgentNotFound, AgentsAlive, MethodNotFound
from descartes_daemon.app import build
from descartes_daemon.counts import OpenNow
from descartes_daemon.feed import Feed
from descartes_daemon.store import Store
from descartes_daemon.web import serve

TOKEN = "a-token-of-fair-length-for-every-test-here"


@dataclass
class Answers:
    """A dispatcher that answers a few methods."""

    status: str = "healthy"
    #: What system.metrics tells.
    metrics: str = "descartes_x 1\n"
    #: Every call, as it came: method, params, client.
    calls: list[tuple[str, dict[str, Any], str]] = field(default_factory=list)
    #: Set by the first call.
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    #: Lets `slow` go on.
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    #: Whether `agent.wait` was given up.
    given_up: bool = False

    def call(
        self, method: str, params: dict[str, Any], *, client: str
    ) -> dict[str, Any] | Coroutine[Any, Any, dict[str, Any]]:
        """Answer at once, or later."""
        self.calls.append((method, params, client))
        self.asked.set()
        match method:
            case "system.health":
                return {"status": self.status, "service": "descartes-daemon"}
            case "echo":
                return params
            case "later":
                return self._later(params)
            case "slow":
                return self._slow()
            case "agent.get":
                raise AgentNotFound("no agent is called x")
            case "system.shutdown":
                return self._shutdown(params)
            case "agent.wait":
                return self._wait()
            case "system.stats":
                return {"events": 7}
            case "system.metrics":
                return {"content_type": "text/plain; version=0.0.4; charset=utf-8", "text": self.metrics}
            case "fault":
                raise RuntimeError("a secret of the inside")
        raise MethodNotFound(f"there is no method {method}")

    async def _later(self, params: dict[str, Any]) -> dict[str, Any]:
        if params.get("fault"):
            raise ValueError("a secret of the inside")
        return params

    async def _slow(self) -> dict[str, Any]:
        await self.go_on.wait()
        return {"done": True}

    async def _wait(self) -> dict[str, Any]:
        try:
            await self.go_on.wait()
        finally:
            self.given_up = not self.go_on.is_set()
        return {"ended": True}

    async def _shutdown(self, params: dict[str, Any]) -> dict[str, Any]:
        if not params.get("force"):
            raise AgentsAlive
        return {"ended": ["a"]}


@dataclass(frozen=True)
class Answer:
    """What an HTTP server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Return the body's value."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Return the stable word of an error."""
        return str(self.json["error"]["data"]["code"])


@dataclass
class Doors:
    """Where both doors are, and what is behind them."""

    http: int
    ws: int
    store: Store
    feed: Feed
    dispatcher: Answers
    stop: asyncio.Event
    now: OpenNow
    #: The port of metrics alone, where it was asked for.
    metrics: int = 0

    async def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        port: int | None = None,
        token: str | None = TOKEN,
        **headers: str | None,
    ) -> Answer:
        """Ask over a connection of its own; a header that is None is left out."""
        port = port or self.http
        asked: dict[str, str | None] = {"host": f"127.0.0.1:{port}", "connection": "close"}
        if token is not None:
            asked["authorization"] = f"Bearer {token}"
        if body is not None:
            asked |= {"content-type": "application/json", "content-length": str(len(body))}
        asked |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [
            f"{method} {path} HTTP/1.1",
            *(f"{name}: {value}" for name, value in asked.items() if value is not None),
        ]
        return await said(port, "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b""))

    async def rpc(self, value: Any) -> Any:
        """Call over HTTP, and return what was answered (None: nothing)."""
        answer = await self.ask("POST", "/rpc", value if isinstance(value, bytes) else json.dumps(value).encode())
        assert answer.status in (200, 204)
        return answer.json if answer.status == 200 else None

    def listen(self, path: str = "/events", **options: Any) -> websockets.connect:
        """Open a WebSocket with the token."""
        options.setdefault("additional_headers", {"Authorization": f"Bearer {TOKEN}"})
        port = options.pop("port", self.ws)
        return websockets.connect(f"ws://127.0.0.1:{port}{path}", proxy=None, **options)


async def said(port: int, request: bytes) -> Answer:
    """Send bytes, and read one answer until the connection ends."""
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.closing(writer):
            with contextlib.suppress(ConnectionError):  # the answer may come before all is sent
                writer.write(request)
                await writer.drain()
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return Answer(int(status.split()[1]), headers, body)


def listening() -> socket.socket:
    """Return a socket as the supervisor would bind it."""
    return socket.create_server(("127.0.0.1", 0))


@contextlib.asynccontextmanager
async def served(app: ASGIApp, sockets: list[socket.socket], **options: Any) -> AsyncIterator[asyncio.Event]:
    """Serve an app; setting the event given ends it."""
    stop, ready = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(serve(app, sockets, stop, ready=ready, **options))
    async with asyncio.timeout(10):
        await asyncio.wait([serving, asyncio.create_task(ready.wait())], return_when=asyncio.FIRST_COMPLETED)
    try:
        yield stop
    finally:
        stop.set()
        async with asyncio.timeout(20):
            await serving


@contextlib.asynccontextmanager
async def open_doors(
    directory: Path,
    *,
    hosts: tuple[str, ...] = (),
    built: dict[str, Any] | None = None,
    with_metrics_port: bool = False,
    **options: Any,
) -> AsyncIterator[Doors]:
    """Open both doors over a real store; `built` goes to the app, other options to the server."""
    sockets = [listening() for _ in range(2 + with_metrics_port)]
    http, ws, metrics = (*(one.getsockname()[1] for one in sockets), 0)[:3]
    async with Store.open(directory / "state.db") as store:
        feed, dispatcher, now = Feed(store), Answers(), OpenNow()
        app = build(
            dispatcher,
            feed,
            http_port=http,
            ws_port=ws,
            token=TOKEN,
            instance_id="an instance",
            hosts=hosts,
            metrics_port=metrics or None,
            now=now,
            **(built or {}),
        )
        async with served(app, sockets, now=now, **options) as stop:
            yield Doors(http, ws, store, feed, dispatcher, stop, now, metrics)
