"""What is about to be written, kept until it is: no kill leaves a torn file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from descartes_local.json_file import sync_directory, write_bytes


@dataclass(frozen=True, slots=True)
class Intent:
    """One write: the whole file before it and after it."""

    before: bytes
    after: bytes

    def is_torn(self, now: bytes) -> bool:
        """Say whether a file is what this write leaves when it is killed.

        That is the beginning of the one text with the end of the other; also nothing, or a hole before what was
        written, where another writer had emptied the file meanwhile and was killed, too.
        """
        if now in (self.before, self.after):
            return False
        kept = now.lstrip(b"\0")
        if len(kept) < len(now):  # a hole, and behind it at most what this write was about to say
            return kept == b"" or self.after.find(kept, len(now) - len(kept)) == len(now) - len(kept)
        same = common(now, self.after)
        return now[same:] == self.before[same : len(now)]


def keep(place: Path, intent: Intent) -> None:
    """Store it durably.

    Raises:
        OSError: it cannot be stored, so nothing may be written.

    """
    texts = [text.decode("latin-1") for text in (intent.before, intent.after)]
    write_bytes(place, json.dumps(texts).encode())


def forget(place: Path) -> None:
    """Let go of it: the write is done, or will not be."""
    place.unlink(missing_ok=True)
    sync_directory(place.parent)


def clear(place: Path) -> None:
    """Let go of all that a killed daemon left."""
    for torn in place.parent.glob(f".{place.name}.*"):  # it was killed while it kept it
        torn.unlink(missing_ok=True)
    if place.exists():
        forget(place)


def kept(place: Path) -> Intent | None:
    """Return what was about to be written when somebody was killed."""
    try:
        before, after = json.loads(place.read_bytes())
        return Intent(before.encode("latin-1"), after.encode("latin-1"))
    except (OSError, ValueError, AttributeError):
        return None


def common(one: bytes, other: bytes) -> int:
    """Return how many bytes two begin with in common."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
