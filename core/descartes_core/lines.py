"""What arrives, cut into lines of a bounded length."""

from __future__ import annotations

from descartes_core.errors import TooLarge


class Lines:
    """Cuts what arrives; one per connection."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._received = bytearray()
        #: How much of it is known to hold no line end.
        self._searched = 0
        #: Whether this is still the line that was told as too long.
        self._is_skipping = False

    def __len__(self) -> int:
        """Return how many bytes are held."""
        return len(self._received)

    def feed(self, data: bytes) -> None:
        """Take what arrived."""
        self._received += data

    def next(self) -> bytes | None:
        """Return the next whole line without its end, None when there is none yet.

        Raises:
            TooLarge: it is longer than allowed; it is left out, and the next call goes on behind it.

        """
        if not self._received:
            return None
        end = self._received.find(b"\n", self._searched)
        if self._is_skipping:
            if end < 0:
                self._received.clear()
                return None
            self._is_skipping = False
            self._cut(end)
            return self.next()
        if end < 0:
            self._searched = len(self._received)
            if self._searched > self._longest:
                self._received.clear()
                self._searched, self._is_skipping = 0, True
                raise self._too_large()
            return None
        line = self._cut(end)
        if len(line) > self._longest:
            raise self._too_large()
        return line

    def rest(self) -> bytes:
        """Hand over all that is held, for a connection that goes on with something else than lines."""
        held = bytes(self._received)
        self._received.clear()
        self._searched = 0
        return held

    def _cut(self, end: int) -> bytes:
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        self._searched = 0
        return line

    def _too_large(self) -> TooLarge:
        return TooLarge(f"a line may have {self._longest} bytes")
