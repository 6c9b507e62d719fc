"""A page with a terminal in it: a WebSocket client written from docs/protocol.md, with a screen of its own."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import time
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

#: A machine under load paints late.
DEADLINE = 20.0
_SEQUENCE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-~]|[=>78cM])")


class Page:
    """One terminal of one agent; counts its offset, and comes back by itself when the daemon was killed."""

    def __init__(self, endpoint: str, home: Path, agent: str, query: str = "") -> None:
        self._url = f"{endpoint}/agents/{agent}/terminal"
        self._headers = {"Authorization": f"Bearer {(home / 'token').read_text().strip()}"}
        self._open = contextlib.ExitStack()
        #: The next byte's place in the output, and all that came, with the screens.
        self.offset = -1
        self.seen = b""
        #: The output alone, from the first offset on.
        self.output = b""
        self.exit: dict[str, Any] | None = None
        self.pen: dict[str, Any] = {}
        #: What was dropped before it was taken.
        self.gaps: list[tuple[int, int]] = []
        #: How often it had to come back.
        self.returns = 0
        self.connection = self._connect(query)

    def type(self, text: str) -> None:
        """Type."""
        self.connection.send(text.encode())

    def tell(self, **value: Any) -> None:
        """Send a JSON frame."""
        self.connection.send(json.dumps(value))

    @property
    def text(self) -> str:
        """Return what was seen, without control sequences."""
        return _SEQUENCE.sub(b"", self.seen).decode(errors="replace")

    def forget(self) -> None:
        """Take no old text for new."""
        self.seen = b""

    def see(self, text: str) -> None:
        """Read until this was seen."""
        ends = time.monotonic() + DEADLINE
        while text not in self.text:
            assert self.read(ends - time.monotonic()), f"{text!r} was not seen: {self.text[-2000:]!r}"

    def to_the_end(self) -> dict[str, Any]:
        """Read until the agent's end is told, and return how it ended."""
        while self.exit is None:
            assert self.read(60.0), "its end was not told"
        return self.exit

    def read(self, patience: float) -> bool:
        """Read one frame; say whether there was one."""
        try:
            message = self.connection.recv(timeout=max(patience, 0.0))
        except TimeoutError:
            return False
        except (ConnectionClosed, OSError):
            self._open.close()
            self.connection = self._connect(f"from={self.offset}")
            self.returns += 1
            return True
        if isinstance(message, bytes):
            self.seen += message
            self.output += message
            self.offset += len(message)
            return True
        frame = json.loads(message)
        match frame["type"]:
            case "screen":
                self.seen += frame["vt"].encode()
                self.offset = frame["offset"]
            case "offset":
                self.offset = frame["offset"]
            case "pen":
                self.pen = frame
            case "gap":
                self.gaps.append((frame["begin"], frame["end"]))
            case "exit":
                self.exit = frame
        return True

    def come_back(self) -> None:
        """Read until the connection has broken, and is open again."""
        returns = self.returns
        while self.returns == returns:
            assert self.read(DEADLINE), "the connection does not break"

    def close(self) -> None:
        """Leave."""
        self._open.close()

    def _connect(self, query: str) -> ClientConnection:
        # A connection may be reset before it is answered: then once more.
        for _ in range(20):
            with contextlib.suppress(OSError, EOFError, ConnectionClosed):
                how: dict[str, Any] = {"proxy": None, "max_size": None, "compression": None}
                opened = connect(f"{self._url}?{query}", additional_headers=self._headers, **how)
                return self._open.enter_context(opened)
        raise AssertionError(f"{self._url} does not take connections")


class Hearer(Page):
    """A page that keeps nothing of what it is shown but its checksum."""

    def __init__(self, endpoint: str, home: Path, agent: str, query: str = "") -> None:
        self.heard, self.size = hashlib.sha256(), 0
        super().__init__(endpoint, home, agent, query)

    def read(self, patience: float) -> bool:
        """Read one frame."""
        was_read = super().read(patience)
        self.heard.update(self.output)
        self.size += len(self.output)
        self.output = self.seen = b""
        return was_read
