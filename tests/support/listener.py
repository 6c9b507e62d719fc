"""A client of /events, written from docs/protocol.md alone."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect


class Listener:
    """Follows the events of one session; keeps one number and comes back by itself."""

    def __init__(self, endpoint: str, home: Path, since: int = 0) -> None:
        self.since = since
        self.events: list[dict[str, Any]] = []
        #: How often it had to come back.
        self.returns = 0
        self._url = f"{endpoint}/events"
        self._headers = {"Authorization": f"Bearer {(home / 'token').read_text().strip()}"}
        self._open = contextlib.ExitStack()
        self._connection = self._connect()

    def until(self, event_type: str) -> dict[str, Any]:
        """Follow until an event of this type and return it."""
        while True:
            event = self._next()
            if event["event_type"] == event_type:
                return event

    def catch_up(self, seq: int) -> None:
        """Follow until this event."""
        while self.since < seq:
            self._next()

    def close(self) -> None:
        """Stop listening."""
        self._open.close()

    def _next(self) -> dict[str, Any]:
        while True:
            try:
                frame = json.loads(self._connection.recv(timeout=20))
            except (ConnectionClosed, OSError):
                self.returns += 1
                self._open.close()
                self._connection = self._connect()
                continue
            assert frame["type"] not in ("Error", "Gap"), frame
            if frame["type"] == "Event":
                event: dict[str, Any] = frame["payload"]
                self.since = event["seq"]
                self.events.append(event)
                return event

    def _connect(self) -> ClientConnection:
        # A connection may be reset before it is answered: then once more, as the page says.
        for _ in range(20):
            try:
                connection = self._open.enter_context(connect(self._url, additional_headers=self._headers, proxy=None))
            except (OSError, EOFError, ConnectionClosed):
                continue
            connection.send(json.dumps({"type": "Subscribe", "payload": {"since": self.since}}))
            return connection
        raise AssertionError(f"{self._url} does not take connections")
