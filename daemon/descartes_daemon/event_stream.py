"""The WebSocket that tells events as they are committed."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any, TypeVar

from pydantic import Field, ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from descartes_core import jsonrpc
from descartes_core.errors import DescartesError, InvalidParams, InvalidRequest, LimitReached
from descartes_core.events import fits
from descartes_core.ids import new_id
from descartes_core.messages.common import Model
from descartes_core.messages.events import EventFilter
from descartes_core.times import written
from descartes_daemon.feed import Feed
from descartes_daemon.safety import refusal

#: A listener is pinged this often (seconds), so that one that is gone is noticed.
PING_EVERY = 30.0
#: A listener that takes nothing for this long is let go (seconds); it comes back with its cursor.
STUCK_AFTER = 60.0
#: A client that says nonsense this often is no client of ours.
MOST_NONSENSE = 100
#: Events are taken from the feed in pieces: a listener far behind costs no more memory than this.
_PIECE = 100
#: "Policy violation" in RFC 6455.
_POLICY = 1008

_M = TypeVar("_M", bound=Model)


class Subscribe(Model):
    """Begin to listen."""

    filter: EventFilter = EventFilter()
    #: The seq of the last event already known; None: from now.
    since: int | None = Field(default=None, ge=0)


class UpdateFilter(Model):
    """Listen to others."""

    filter: EventFilter


class EventStream:
    """The door at /events."""

    def __init__(
        self,
        feed: Feed,
        instance_id: str,
        *,
        most: int = 1000,
        deepest: int = jsonrpc.DEEPEST,
        ping_every: float = PING_EVERY,
        stuck_after: float = STUCK_AFTER,
    ) -> None:
        self.feed, self.instance_id = feed, instance_id
        self.ping_every, self.stuck_after = ping_every, stuck_after
        self._most = most
        self.deepest = deepest
        self.listeners = 0

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one client until it goes."""
        if self.listeners >= self._most:
            error = LimitReached(f"{self._most} listen already, which is the limit (server.max_subscriptions)")
            await websocket.send_denial_response(refusal(error, 503))
            return
        self.listeners += 1
        try:
            await websocket.accept()
            await Listener(websocket, self).run()
        except* (WebSocketDisconnect, TimeoutError):
            pass  # gone, or stuck: it knows its cursor
        finally:
            self.listeners -= 1


class Listener:
    """One client: a filter and a cursor."""

    def __init__(self, websocket: WebSocket, stream: EventStream) -> None:
        self._websocket, self._stream, self._feed = websocket, stream, stream.feed
        self._filter = EventFilter()
        self._cursor = 0
        #: What was there before it listened is told late, but not with a delay.
        self._listens_from = 0
        self._subscription: str | None = None
        self._telling: asyncio.Task[None] | None = None
        self._nonsense = 0

    async def run(self) -> None:
        """Listen to the client, and tell it what it asked for, until it goes."""
        async with asyncio.TaskGroup() as group:
            pinging = group.create_task(self._ping(), name="listener ping")
            try:
                await self._hear(group)
            finally:
                pinging.cancel()
                self._stop_telling()

    async def _hear(self, group: asyncio.TaskGroup) -> None:
        while (message := await self._websocket.receive())["type"] != "websocket.disconnect":
            try:
                await self._obey(message.get("text"), group)
            except DescartesError as error:
                await self._send("Error", {"code": error.code, "message": error.message})
                self._nonsense += 1
            if self._nonsense >= MOST_NONSENSE:
                await self._websocket.close(_POLICY, "too much nonsense")
                return

    async def _obey(self, text: str | None, group: asyncio.TaskGroup) -> None:
        kind, payload = _frame(text, self._stream.deepest)
        match kind:
            case "Pong":
                return
            case "Subscribe":
                await self._subscribe(_model(Subscribe, payload), group)
            case "UpdateFilter" if self._subscription:
                self._filter = _model(UpdateFilter, payload).filter
                await self._send("SubscriptionUpdated", {"subscription_id": self._subscription})
            case "Unsubscribe" if self._subscription:
                self._stop_telling()
                self._subscription = None
            case "UpdateFilter" | "Unsubscribe":
                raise InvalidRequest("there is no subscription: send Subscribe first")
            case _:
                raise InvalidRequest("a frame is Subscribe, UpdateFilter, Unsubscribe or Pong")

    async def _subscribe(self, asked: Subscribe, group: asyncio.TaskGroup) -> None:
        self._stop_telling()
        last = self._listens_from = self._feed.last_seq
        self._filter, self._subscription = asked.filter, new_id()
        self._cursor = last if asked.since is None else asked.since
        await self._send(
            "SubscriptionConfirmed",
            {"subscription_id": self._subscription, "last_seq": last, "instance_id": self._stream.instance_id},
        )
        if self._cursor > last:
            await self._gap(last, "this cursor is beyond the newest event: it is of another history")
        self._telling = group.create_task(self._tell(), name="listener events")

    def _stop_telling(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None

    async def _tell(self) -> None:
        while True:
            await self._feed.wait_beyond(self._cursor)
            piece = await self._feed.after(self._cursor, _PIECE)
            if piece.begin > self._cursor:
                await self._gap(piece.begin, "events before this are not kept any more")
            for event in piece.events:
                # The cursor goes first: a resubscription that comes between begins anew anyway.
                self._cursor = event["seq"]
                if fits(event, self._filter):
                    await self._send("Event", event)
            if self._cursor > self._listens_from:
                self._feed.reached(self._cursor)

    async def _gap(self, until: int, reason: str) -> None:
        self._feed.on_gap()
        await self._send("Gap", {"from": self._cursor, "to": until, "reason": reason})
        self._cursor = until

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(self._stream.ping_every)
            await self._send("Ping", {"timestamp": written(time.time())})

    async def _send(self, kind: str, payload: dict[str, Any]) -> None:
        async with asyncio.timeout(self._stream.stuck_after):
            await self._websocket.send_text(json.dumps({"type": kind, "payload": payload}))


def _frame(text: str | None, deepest: int) -> tuple[str, dict[str, Any]]:
    value = jsonrpc.parse(text, deepest=deepest) if text is not None else None
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        raise InvalidRequest('a frame is text: {"type": …, "payload": {…}}')
    payload = value.get("payload")
    if not isinstance(payload, dict | None):
        raise InvalidRequest('"payload" must be an object')
    return value["type"], payload or {}


def _model(kind: type[_M], payload: dict[str, Any]) -> _M:
    try:
        return kind.model_validate(payload)
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidParams(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
