"""What a link has counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(slots=True)
class Statistics:
    """Since the link was made; times are the caller's own clock."""

    messages_sent: int = 0
    messages_received: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    #: What was no message.
    errors: int = 0
    #: Messages that came when or from where they mean nothing, answers that nobody asked for among them.
    dropped: int = 0
    #: Welcomes after the first.
    reconnections: int = 0
    connected_since: float | None = None
    welcomes: int = 0

    def came(self, frames: Sequence[bytes]) -> None:
        """Count what came in one message."""
        self.messages_received += 1
        self.bytes_received += sum(map(len, frames))

    def went(self, frames: Sequence[bytes]) -> None:
        """Count what goes in one message."""
        self.messages_sent += 1
        self.bytes_sent += sum(map(len, frames))

    def connected(self, now: float) -> None:
        """Count a welcome."""
        self.welcomes += 1
        self.reconnections = self.welcomes - 1
        self.connected_since = now
