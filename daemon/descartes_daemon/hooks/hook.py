"""One hook as it is stored, and as it is told."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from descartes_core.messages.hooks import AddHook
from descartes_core.redaction import redact
from descartes_core.times import written, written_or_none
from descartes_daemon.hooks.target import Target, shown

#: Characters of an address or a command in an event; `hook.list` has all of it.
_LONGEST_TARGET = 500


@dataclass(slots=True)
class Hook:
    """A row of `hooks`; its worker keeps it as the last commit left it."""

    id: str
    name: str
    url: str | None
    command: list[str] | None
    on: list[str]
    agent_ids: list[str]
    secret: str
    allow_private: bool
    created_at: float
    delivered_to: int
    delivered: int = 0
    delivered_at: float | None = None
    tries: int = 0
    next_at: float | None = None
    error: str | None = None
    output: str | None = None
    failed_at: float | None = None
    is_failing: bool = False
    disabled_at: float | None = None
    dead: int = 0

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> Hook:
        """Return it as SQL gave it."""
        found = dict(row)
        wanted = json.loads(found.pop("wanted"))
        found["command"] = json.loads(found["command"]) if found["command"] else None
        for name in ("allow_private", "is_failing"):
            found[name] = bool(found[name])
        return cls(**found, **wanted)

    def as_params(self) -> dict[str, Any]:
        """Return what SQL needs to add it."""
        return {
            "id": self.id,
            "name": self.name,
            "url": self.url,
            "command": None if self.command is None else json.dumps(self.command),
            "wanted": json.dumps({"on": self.on, "agent_ids": self.agent_ids}),
            "secret": self.secret,
            "allow_private": self.allow_private,
            "created_at": self.created_at,
            "delivered_to": self.delivered_to,
        }

    @property
    def about(self) -> dict[str, Any]:
        """What events tell of which hook it is."""
        target = shown(self.url) if self.url else " ".join(redact(self.command or []))
        return {"hook_id": self.id, "name": self.name, "target": target[:_LONGEST_TARGET]}

    def told(self, last_seq: int, *, seen: int, is_delivering: bool) -> dict[str, Any]:
        """Return it as messages.hooks.Hook; `seen`: what it does not want is not written down one by one."""
        return {
            "hook_id": self.id,
            "name": self.name,
            "url": shown(self.url) if self.url else None,
            "command": redact(self.command) if self.command else None,
            "on": self.on,
            "agent_ids": self.agent_ids,
            "allow_private": self.allow_private,
            "created_at": written(self.created_at),
            "state": self._state(is_delivering=is_delivering),
            "delivered_to": seen,
            "behind": max(0, last_seq - seen),
            "delivered": self.delivered,
            "delivered_at": written_or_none(self.delivered_at),
            "tries": self.tries,
            "error": self.error,
            "failed_at": written_or_none(self.failed_at),
            "next_try_at": written_or_none(self.next_at),
            "output": self.output,
            "dead": self.dead,
        }

    def _state(self, *, is_delivering: bool) -> str:
        if self.disabled_at is not None:
            return "disabled"
        if is_delivering:
            return "delivering"
        return "retrying" if self.tries else "waiting"


def usual_name(request: AddHook) -> str:
    """Return what a hook is called that was given no name."""
    if request.url is not None:
        return Target.read(request.url).host[:100]
    return PurePath((request.command or ["command"])[0]).name[:100] or "command"
