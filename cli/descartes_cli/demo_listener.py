"""Follow a session's events over its WebSocket, over reconnects too."""

from __future__ import annotations

import json
import threading
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect


class Listener:
    """Collects events in a thread; goes on from its cursor after every break."""

    def __init__(self, endpoint: str, token: str) -> None:
        self._url = f"{endpoint}/events"
        self._headers = {"Authorization": f"Bearer {token}"}
        self.events: list[dict[str, Any]] = []
        self.reconnects = -1
        self.gaps = 0
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="listener", daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        while not self._stopped.is_set():
            try:
                self._listen()
            except (OSError, ConnectionClosed, InvalidHandshake, TimeoutError):
                # The supervisor holds the socket: the next connection waits for the next daemon.
                self._stopped.wait(0.05)

    def _listen(self) -> None:
        with connect(self._url, additional_headers=self._headers, open_timeout=10, proxy=None) as socket:
            self.reconnects += 1
            since = self.events[-1]["seq"] if self.events else 0
            socket.send(json.dumps({"type": "Subscribe", "payload": {"since": since}}))
            for text in socket:
                frame = json.loads(text)
                if frame["type"] == "Event":
                    with self._changed:
                        self.events.append(frame["payload"])
                        self._changed.notify_all()
                elif frame["type"] == "Gap":
                    self.gaps += 1
                elif frame["type"] == "Ping":
                    socket.send(json.dumps({"type": "Pong", "payload": frame["payload"]}))

    def wait_for(self, event_type: str, count: int = 1, patience: float = 10.0) -> bool:
        """Wait until that many events of a type have come."""

        def came() -> bool:
            return [event["event_type"] for event in self.events].count(event_type) >= count

        with self._changed:
            return self._changed.wait_for(came, patience)

    @property
    def is_whole(self) -> bool:
        """Whether every event came once, and in order."""
        return [event["seq"] for event in self.events] == list(range(1, len(self.events) + 1)) and not self.gaps

    def close(self) -> None:
        """Stop following; the daemon's end closes the connection."""
        self._stopped.set()
