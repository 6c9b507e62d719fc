"""One thing that doctor found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Remark:
    """What was looked at, how it is, and what to type where it is not well."""

    level: Level
    about: str
    text: str
    do: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as `doctor --json` prints it."""
        return asdict(self)


def ok(about: str, text: str) -> Remark:
    """Return that something is well."""
    return Remark("ok", about, text)


def warning(about: str, text: str, do: str) -> Remark:
    """Return that something is not as it should be, and harms little for now."""
    return Remark("warning", about, text, do)


def wrong(about: str, text: str, do: str) -> Remark:
    """Return that something does not work."""
    return Remark("error", about, text, do)
