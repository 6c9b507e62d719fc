"""What session.json holds: read with care, written in the original's order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from descartes_core.ids import is_id
from descartes_core.session_life import State

_KNOWN = ("id", "name", "path", "created_at", "last_accessed", "status", "daemon_info")


class UnreadableRecord(ValueError):
    """session.json does not hold a session."""


@dataclass(frozen=True, slots=True)
class DaemonInfo:
    """Where a session's daemon is."""

    pid: int | None
    http_endpoint: str
    ws_endpoint: str | None
    started_at: str

    def as_json(self) -> dict[str, Any]:
        """Return the object as session.json has it."""
        return {
            "pid": self.pid,
            "http_endpoint": self.http_endpoint,
            "ws_endpoint": self.ws_endpoint,
            "started_at": self.started_at,
        }


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """One session.json."""

    id: str
    name: str
    path: str
    created_at: str
    last_accessed: str | None = None
    status: State = State.INACTIVE
    daemon_info: DaemonInfo | None = None
    #: Our own keys (`ports`) and those of others, kept in their order.
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def ports(self) -> tuple[int, int] | None:
        """The pair the session had last: HTTP, WebSocket."""
        pair = self.more.get("ports")
        if isinstance(pair, dict) and type(pair.get("http")) is int and type(pair.get("ws")) is int:
            return pair["http"], pair["ws"]
        return None

    def with_ports(self, http: int, ws: int) -> SessionRecord:
        """Remember the pair."""
        return replace(self, more={**self.more, "ports": {"http": http, "ws": ws}})

    def as_json(self) -> dict[str, Any]:
        """Return the object in the original's order, other keys after it."""
        return {
            "id": self.id,
            "name": self.name,
            "path": self.path,
            "created_at": self.created_at,
            "last_accessed": self.last_accessed,
            "status": self.status.value,
            "daemon_info": self.daemon_info.as_json() if self.daemon_info else None,
            **self.more,
        }


def read_record(value: Any) -> SessionRecord:
    """Return the session a JSON value holds.

    Raises:
        UnreadableRecord: it holds none; the text says why.

    """
    if not isinstance(value, dict):
        raise UnreadableRecord("it is not an object")
    missing = [key for key in ("id", "name", "path", "created_at") if not isinstance(value.get(key), str)]
    if missing:
        raise UnreadableRecord(f"{', '.join(missing)} missing")
    if not is_id(value["id"]):
        raise UnreadableRecord("id is no UUID")
    try:
        status = State(value.get("status", State.INACTIVE))
    except ValueError:
        raise UnreadableRecord(f"unknown status {value.get('status')!r}") from None
    accessed = value.get("last_accessed")
    return SessionRecord(
        id=value["id"].lower(),
        name=value["name"],
        path=value["path"],
        created_at=value["created_at"],
        last_accessed=accessed if isinstance(accessed, str) else None,
        status=status,
        daemon_info=_read_daemon(value.get("daemon_info")),
        more={key: kept for key, kept in value.items() if key not in _KNOWN},
    )


def _read_daemon(value: Any) -> DaemonInfo | None:
    if not isinstance(value, dict) or not isinstance(value.get("http_endpoint"), str):
        return None
    pid, ws = value.get("pid"), value.get("ws_endpoint")
    return DaemonInfo(
        pid=pid if isinstance(pid, int) else None,
        http_endpoint=value["http_endpoint"],
        ws_endpoint=ws if isinstance(ws, str) else None,
        started_at=str(value.get("started_at", "")),
    )
