"""Say what the rows of a database of the original mean here, as one unit."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

from descartes_core.errors import ArchiveInvalid
from descartes_core.scud.mapping import OWN_COMPLEXITIES, OWN_STATUSES, PRIORITIES
from descartes_daemon.transfer.original import Original, Row, moment, named, parsed, text
from descartes_daemon.unit import Unit

#: Where an agent's states are kept: what it was like, and what it was doing.
_STATUS, _STATE, _ABOUT = "status", "state", "agent"
_BETWEEN_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])")
_LONGEST_ID, _LONGEST_VALUE, _LONGEST_TOLD = 100, 1024 * 1024, 8192

#: (agent, time, key, value, evidence)
Change = tuple[str, float, str, Any, str]


def tasks_into(unit: Unit, original: Original) -> int:
    """Add its tasks as own ones."""
    now, rows = time.time(), original.rows.get("tasks", [])
    for row in rows:
        unit.do("import_task", **_task(row, now))
    known = {text(row["id"]) for row in rows}
    for task, needed, at in _needs(original, now):
        if task in known and needed in known and task != needed:
            unit.do("own_task_needs", task=task, depends_on=needed, at=at)
    return len(rows)


def _task(row: Row, now: float) -> dict[str, Any]:
    identity, title = text(row["id"]), text(row["title"]) or "untitled"
    if not 0 < len(identity) <= _LONGEST_ID:
        raise ArchiveInvalid(f"a task has the id {identity[:50]!r}, which is none here")
    begun = moment(row.get("created_at"), now)
    kept = dict(named(row, "metadata"))
    words = {}
    for column, allowed, otherwise in (
        ("status", OWN_STATUSES, "todo"),
        ("priority", PRIORITIES, "medium"),
        ("complexity", OWN_COMPLEXITIES, "moderate"),
    ):
        word = _BETWEEN_WORDS.sub("_", text(row.get(column))).lower().replace("-", "_")
        words[column] = word if word in allowed else otherwise
        if word and word not in allowed:
            kept[column] = word  # nothing is lost, whatever it meant
    return {
        "id": identity,
        "title": title,
        "description": text(row.get("description")),
        "assigned_to": text(row.get("assigned_to")) or None,
        "created_at": begun,
        "updated_at": moment(row.get("updated_at"), begun),
        "metadata": json.dumps(kept),
        **words,
    }


def _needs(original: Original, now: float) -> Iterator[tuple[str, str, float]]:
    for row in original.rows.get("tasks", []):
        needed = parsed(row.get("dependencies"))
        for one in needed if isinstance(needed, list) else []:
            yield text(row["id"]), text(one), moment(row.get("created_at"), now)
    for row in original.rows.get("task_dependencies", []):
        yield text(row.get("task_id")), text(row.get("depends_on_task_id")), moment(row.get("created_at"), now)


def events_into(unit: Unit, original: Original) -> int:
    """Add its events, oldest first, with the time they had."""
    now = time.time()
    rows = sorted(original.rows.get("events", []), key=lambda row: moment(row.get("timestamp"), now))
    for row in rows:
        data = {
            "original_type": text(row["event_type"]),
            # It stored `User` and said `user`.
            "actor_type": text(row["actor_type"]).lower(),
            "actor_id": text(row["actor_id"]),
            "content": text(row["content"]),
            **dict(named(row, "id", "session_id", "metadata", "git_commit")),
        }
        data = {key: _brief(value) for key, value in data.items()}
        unit.event("SystemEvent", "original_event", None, data, moment(row["timestamp"], now))
    return len(rows)


def _brief(value: Any) -> Any:
    """Return it, or how it begins: a thousand events are in memory at any time, and on one page."""
    if isinstance(value, int | float | None):
        return value
    told = value if isinstance(value, str) else json.dumps(value)
    return value if len(told) <= _LONGEST_TOLD else f"{told[:_LONGEST_TOLD]} … ({len(told)} characters)"


def states_into(unit: Unit, original: Original, evidence: str, request_id: str | None) -> tuple[int, int]:
    """Add what its agents were like, as the history of three keys; return how many changes and agents that are."""
    now = time.time()
    changes = sorted(_changes(original, now), key=lambda change: (change[0], change[1]))
    for agent, at, key, value, why in changes:
        stored = json.dumps(value)
        if not 0 < len(agent) <= _LONGEST_ID or len(stored) > _LONGEST_VALUE:
            raise ArchiveInvalid(f"the {key} of agent {agent[:50]!r} has no place here: its id or value is too long")
        told = f"{evidence}: {why}"[:1000]
        unit.do("import_state", agent=agent, key=key, value=stored, evidence=told, at=at, request_id=request_id)
    return len(changes), len({change[0] for change in changes})


def _changes(original: Original, now: float) -> Iterator[Change]:
    for row in original.rows.get("state_transitions", []):
        at, why = moment(row.get("timestamp"), now), text(row.get("reason")) or "no reason given"
        yield text(row["agent_id"]), at, _STATUS, parsed(row.get("state_after")), f"transition: {why}"
    for row in original.rows.get("state_snapshots", []):
        at, why = moment(row.get("created_at"), now), text(row.get("description")) or text(row.get("id"))
        yield text(row["agent_id"]), at, _STATE, parsed(row.get("state_data")), f"snapshot: {why}"
    for row in original.rows.get("agent_states", []):
        if row.get("is_deleted"):
            continue
        agent, at = text(row["agent_id"]), moment(row.get("updated_at"), now)
        yield agent, at, _STATE, parsed(row.get("state_data")), "its state"
        yield agent, at, _ABOUT, dict(named(row, "name", "status", "metadata", "version", "key")), "what it was"
    for row in original.rows.get("agents", []):
        columns = ("name", "status", "model_backend", "started_at", "completed_at", "task", "metadata")
        at = moment(row.get("completed_at") or row.get("started_at"), now)
        yield text(row["id"]), at, _ABOUT, dict(named(row, *columns)), "what it was"
