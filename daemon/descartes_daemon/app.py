"""The two TCP doors: HTTP on one port, WebSockets on the other."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from descartes_core import jsonrpc
from descartes_core.errors import DescartesError, InternalError, InvalidRequest, NotFound, Unavailable
from descartes_daemon.event_stream import EventStream
from descartes_daemon.feed import Feed
from descartes_daemon.safety import Safety, refusal

#: The most calls in one array.
LARGEST_BATCH = 100

_log = logging.getLogger(__name__)


class Dispatcher(Protocol):
    """Who does what is called."""

    def call(
        self, method: str, params: dict[str, Any], *, client: str
    ) -> dict[str, Any] | Coroutine[Any, Any, dict[str, Any]]:
        """Return the reply, at once or awaited; raise DescartesError, then or when awaited."""


class Http:
    """The HTTP door."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    async def health(self, request: Request) -> Response:
        """Say whether the daemon works: 200, or 503 with what is wrong."""
        reply = await self._call("system.health", {}, request)
        return _json(json.dumps(reply).encode(), 200 if reply["status"] == "healthy" else 503)

    async def shutdown(self, request: Request) -> Response:
        """End the daemon; the body is what `system.shutdown` takes, or nothing."""
        body = await request.body()
        params = jsonrpc.parse(body) if body.strip() else {}
        if not isinstance(params, dict):
            raise InvalidRequest('the body is an object, for example {"force": true}')
        return _json(json.dumps(await self._call("system.shutdown", params, request)).encode())

    async def rpc(self, request: Request) -> Response:
        """Answer JSON-RPC 2.0, one call or an array of them, which are done in order."""
        answer = await self._answer(await request.body(), request)
        return Response(status_code=204) if answer is None else _json(answer)

    async def _answer(self, body: bytes, request: Request) -> bytes | None:
        try:
            value = jsonrpc.parse(body)
            if not isinstance(value, list):
                return await self._answer_one(value, request)
            if not 1 <= len(value) <= LARGEST_BATCH:
                raise InvalidRequest(f"an array may have 1 to {LARGEST_BATCH} calls, this one has {len(value)}")
        except DescartesError as error:
            return jsonrpc.refusal(None, error)
        answers = [answer for one in value if (answer := await self._answer_one(one, request)) is not None]
        return b"[" + b",".join(answers) + b"]" if answers else None

    async def _answer_one(self, value: Any, request: Request) -> bytes | None:
        try:
            call = jsonrpc.call_of(value)
        except DescartesError as error:
            return jsonrpc.refusal(None, error)
        try:
            answer = jsonrpc.reply(call.id, await self._call(call.method, call.params, request))
        except DescartesError as error:
            answer = jsonrpc.refusal(call.id, error)
        return None if call.is_notification else answer

    async def _call(self, method: str, params: dict[str, Any], request: Request) -> dict[str, Any]:
        client = "http {}:{}".format(*request.client) if request.client else "http"
        try:
            reply = self._dispatcher.call(method, params, client=client)
            return await reply if inspect.isawaitable(reply) else reply
        except DescartesError:
            raise
        except asyncio.CancelledError:  # only the server's end does that, and would tell it as a fault of ours
            raise Unavailable("the daemon is ending: ask again") from None
        except Exception as error:  # the edge: a fault of ours is told in the log, and ends nothing else
            _log.exception("%s failed", method)
            raise InternalError from error


def build(
    dispatcher: Dispatcher,
    feed: Feed,
    *,
    http_port: int,
    ws_port: int,
    token: str,
    instance_id: str,
    hosts: Sequence[str] = (),
    max_listeners: int = 1000,
) -> ASGIApp:
    """Return the app for both ports; `hosts` are names and addresses it is bound to besides loopback."""
    http, stream = Http(dispatcher), EventStream(feed, instance_id, most=max_listeners)
    app = Starlette(
        routes=[
            Route("/health", http.health, methods=["GET"]),
            Route("/rpc", http.rpc, methods=["POST"]),
            Route("/shutdown", http.shutdown, methods=["POST"]),
            WebSocketRoute("/events", stream.serve),
            WebSocketRoute("/{path:path}", _no_such_path),
        ],
        exception_handlers={DescartesError: _told, HTTPException: _told_by_starlette},
    )
    return Safety(app, token=token, http_port=http_port, ws_port=ws_port, hosts=hosts)


def _json(body: bytes, status: int = 200) -> Response:
    return Response(body.rstrip(b"\n"), status, media_type="application/json")


def _told(_request: Request, error: Exception) -> Response:
    assert isinstance(error, DescartesError)
    return refusal(error)


def _told_by_starlette(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    answer = refusal(
        NotFound(f"there is no {request.url.path} here")
        if error.status_code == 404
        else InvalidRequest(f"{request.method} is not for {request.url.path}"),
        error.status_code,
    )
    answer.headers.update(error.headers or {})
    return answer


async def _no_such_path(websocket: WebSocket) -> None:
    await websocket.send_denial_response(refusal(NotFound(f"there is no {websocket.url.path} here")))
