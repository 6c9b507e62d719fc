"""HTTP as plain JSON: one path a method, and the short ones."""

from __future__ import annotations

import asyncio
import importlib

from starlette.requests import Request
from starlette.responses import Response

from descartes_core import jsonrpc
from descartes_core.errors import InvalidRequest, NotFound
from descartes_daemon.calling import Caller
from descartes_daemon.dumping import dumped


def as_json(body: bytes, status: int = 200) -> Response:
    """Return JSON as HTTP has it."""
    return Response(body.rstrip(b"\n"), status, media_type="application/json")


class PlainHttp:
    """Everything but JSON-RPC."""

    def __init__(self, caller: Caller, *, deepest: int, has_metrics: bool) -> None:
        self._caller = caller
        self._deepest = deepest
        self._has_metrics = has_metrics
        self._described: bytes | None = None

    async def method(self, request: Request) -> Response:
        """POST /rpc/METHOD: the body is its parameters, or empty; the answer is its reply."""
        return await self._called(request.path_params["method"], request)

    async def shutdown(self, request: Request) -> Response:
        """POST /shutdown: `system.shutdown`."""
        return await self._called("system.shutdown", request)

    async def _called(self, method: str, request: Request) -> Response:
        body = await request.body()
        params = jsonrpc.parse(body, deepest=self._deepest) if body.strip() else {}
        if not isinstance(params, dict):
            raise InvalidRequest("the body is an object: the method's parameters by name")
        return as_json(dumped(await self._caller.call(method, params, request)))

    async def health(self, request: Request) -> Response:
        """GET /health: 200, or 503 with what is wrong."""
        reply = await self._caller.call("system.health", {}, request)
        return as_json(dumped(reply), 200 if reply["status"] == "healthy" else 503)

    async def stats(self, request: Request) -> Response:
        """GET /stats: `system.stats`."""
        return as_json(dumped(await self._caller.call("system.stats", {}, request)))

    async def metrics(self, request: Request) -> Response:
        """GET /metrics: `system.metrics`, its text."""
        if not self._has_metrics:
            raise NotFound("metrics are switched off (server.enable_metrics)")
        reply = await self._caller.call("system.metrics", {}, request)
        return Response(reply["text"], media_type=None, headers={"Content-Type": reply["content_type"]})

    async def openapi(self, request: Request) -> Response:
        """GET /openapi.json: all of this, for programs."""
        if self._described is None:
            # In a thread, and only here: making the schemas of all messages takes a moment.
            host, port = request.scope["server"]
            self._described = await asyncio.to_thread(_described, f"http://{host}:{port}")
        return as_json(self._described)


def _described(url: str) -> bytes:
    return dumped(importlib.import_module("descartes_core.openapi").document(url))
