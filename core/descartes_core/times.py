"""Points in time, as they are written: RFC 3339, microseconds, Z."""

from __future__ import annotations

from datetime import UTC, datetime


def written(seconds: float) -> str:
    """Return Unix seconds as text, as session.json and every reply have it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def written_or_none(seconds: float | None) -> str | None:
    """Return None for what has not happened."""
    return None if seconds is None else written(seconds)


def read(text: str) -> float:
    """Return Unix seconds of a written time.

    Raises:
        ValueError: it is no RFC 3339 time.

    """
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
