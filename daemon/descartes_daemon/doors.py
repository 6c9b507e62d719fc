"""The TCP doors of a daemon, as its settings have them."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.routing import BaseRoute

from descartes_core.errors import PortsTaken
from descartes_daemon import web
from descartes_daemon.app import build
from descartes_daemon.counts import OpenNow
from descartes_daemon.dispatch import Dispatcher
from descartes_daemon.feed import Feed
from descartes_daemon.sockets import HOST, Listening, bind_port
from descartes_local.config_sections import Server

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TcpDoors:
    """What is behind them, and what they let through."""

    settings: Server
    dispatcher: Dispatcher
    feed: Feed
    token: str
    instance_id: str
    now: OpenNow
    #: WebSocket routes besides /events.
    sockets: Sequence[BaseRoute]

    async def serve(
        self, listening: Listening, stop: asyncio.Event, *, ready: asyncio.Event, notices: list[str]
    ) -> None:
        """Serve until `stop` is set; `ready` is set once connections are taken."""
        settings, doors = self.settings, [listening.http, listening.ws]
        metrics = self._metrics(notices)
        app = build(
            self.dispatcher,
            self.feed,
            http_port=listening.endpoints.http_port,
            ws_port=listening.endpoints.ws_port,
            metrics_port=settings.metrics_port if metrics else None,
            token=self.token,
            instance_id=self.instance_id,
            sockets=self.sockets,
            has_metrics=settings.enable_metrics,
            max_listeners=settings.max_subscriptions,
            max_message=settings.max_message,
            max_strangers=settings.max_strangers,
            deepest=settings.max_nesting,
            timeout=settings.request_timeout,
            now=self.now,
        )
        await web.serve(
            app,
            [*doors, metrics] if metrics else doors,
            stop,
            ready=ready,
            max_connections=settings.max_connections,
            max_message=settings.max_message,
            read_timeout=settings.read_timeout,
            idle_timeout=settings.idle_timeout,
            now=self.now,
        )

    def _metrics(self, notices: list[str]) -> socket.socket | None:
        """Listen where metrics alone are served; several sessions may be told the same port, and then one has it."""
        port = self.settings.metrics_port
        if port is None or not self.settings.enable_metrics:
            return None
        try:
            return bind_port("metrics", HOST, port)
        except PortsTaken as error:
            _log.warning("%s", error)
            notices.append(f"server.metrics_port: {error.message}")
            return None
