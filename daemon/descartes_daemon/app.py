"""The two TCP doors: HTTP on one port, WebSockets on the other."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute, compile_path
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from descartes_core import jsonrpc
from descartes_core.errors import DescartesError, InvalidRequest, NotFound
from descartes_core.messages.common import LARGEST_MESSAGE
from descartes_daemon.calling import Caller, Dispatcher
from descartes_daemon.counts import OpenNow
from descartes_daemon.event_stream import EventStream
from descartes_daemon.feed import Feed
from descartes_daemon.plain_http import PlainHttp
from descartes_daemon.rpc_http import RpcHttp
from descartes_daemon.safety import Safety, refusal

#: Every path that is served here, or refused by name.
PATHS = (
    *("/health", "/rpc", "/rpc/{method}", "/stats", "/metrics", "/openapi.json", "/shutdown", "/events"),
    "/{path:path}",
)


def warm(*more: str) -> None:
    """Compile the patterns of all paths: their compiler is among the largest things a start would touch."""
    for path in (*PATHS, *more):
        compile_path(path)


def build(
    dispatcher: Dispatcher,
    feed: Feed,
    *,
    http_port: int,
    ws_port: int,
    token: str,
    instance_id: str,
    hosts: Sequence[str] = (),
    sockets: Sequence[BaseRoute] = (),
    metrics_port: int | None = None,
    has_metrics: bool = True,
    max_listeners: int = 1000,
    max_message: int = LARGEST_MESSAGE,
    max_strangers: int = 0,
    deepest: int = jsonrpc.DEEPEST,
    timeout: float = 30.0,
    now: OpenNow | None = None,
) -> ASGIApp:
    """Return the app for both ports.

    Args:
        dispatcher: does what is called.
        feed: the events.
        http_port: where HTTP is spoken.
        ws_port: where WebSockets are.
        token: opens both.
        instance_id: tells one life of the daemon from the next.
        hosts: names and addresses it is bound to besides loopback.
        sockets: WebSocket routes besides /events.
        metrics_port: where GET /metrics alone is answered, to anybody on this machine.
        has_metrics: whether it is answered at all.
        max_listeners: how many may follow events at once.
        max_message: how many bytes a body may have.
        max_strangers: how many requests a second may come without the token; 0: any number.
        deepest: how deep JSON may be nested.
        timeout: how many seconds a call may take.
        now: told how many listen.

    """
    caller = Caller(dispatcher, timeout)
    plain = PlainHttp(caller, deepest=deepest, has_metrics=has_metrics)
    stream = EventStream(feed, instance_id, most=max_listeners, deepest=deepest)
    if now is not None:
        now.subscriptions = lambda: stream.listeners
    app = Starlette(
        routes=[
            Route("/health", plain.health, methods=["GET"]),
            Route("/rpc", RpcHttp(caller, deepest=deepest).serve, methods=["POST"]),
            Route("/rpc/{method}", plain.method, methods=["POST"]),
            Route("/stats", plain.stats, methods=["GET"]),
            Route("/metrics", plain.metrics, methods=["GET"]),
            Route("/openapi.json", plain.openapi, methods=["GET"]),
            Route("/shutdown", plain.shutdown, methods=["POST"]),
            WebSocketRoute("/events", stream.serve),
            *sockets,
            WebSocketRoute("/{path:path}", _no_such_path),
        ],
        exception_handlers={DescartesError: _told, HTTPException: _told_by_starlette, ClientDisconnect: _gone},
    )
    app.router.redirect_slashes = False
    return Safety(
        app,
        token=token,
        http_port=http_port,
        ws_port=ws_port,
        metrics_port=metrics_port,
        hosts=hosts,
        largest_body=max_message,
        max_strangers=max_strangers,
    )


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


def _gone(_request: Request, _error: Exception) -> Response:
    return Response()  # nobody reads it: the client went away in the middle of its request


async def _no_such_path(websocket: WebSocket) -> None:
    await websocket.send_denial_response(refusal(NotFound(f"there is no {websocket.url.path} here")))
