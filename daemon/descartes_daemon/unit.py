"""What is committed together: moves, facts, events, answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Self

from descartes_core.agent_life import Cause, State
from descartes_core.ids import new_id
from descartes_core.times import written
from descartes_daemon.agent_row import AgentRow
from descartes_daemon.sql import QUERIES


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event that has no seq yet: the commit gives it."""

    id: str
    at: float
    type: str
    event_type: str
    agent_id: str | None
    data: dict[str, Any]

    def as_params(self) -> dict[str, Any]:
        """Return it as SQL takes it."""
        return {
            "id": self.id,
            "at": self.at,
            "type": self.type,
            "event_type": self.event_type,
            "agent_id": self.agent_id,
            "data": json.dumps(self.data, allow_nan=False),
        }

    def told(self, seq: int) -> dict[str, Any]:
        """Return it as every door tells it (methods.Event)."""
        return wire_event(seq, self.id, self.at, self.type, self.event_type, self.agent_id, self.data)


def wire_event(
    seq: int, identity: str, at: float, kind: str, event_type: str, agent_id: str | None, data: dict[str, Any]
) -> dict[str, Any]:
    """Return an event in the form of methods.Event."""
    return {
        "seq": seq,
        "id": identity,
        "timestamp": written(at),
        "type": kind,
        "event_type": event_type,
        "agent_id": agent_id,
        "data": data,
    }


class Unit:
    """Writes that are done whole or not at all; nothing happens before `Store.commit`.

    Every verb adds to the unit and returns it, so that a unit reads as one sentence.
    """

    def __init__(self) -> None:
        self.statements: list[tuple[str, dict[str, Any]]] = []
        self.events: list[NewEvent] = []

    def do(self, query: str, **params: Any) -> Self:
        """Add one named query; the verbs below say it in words."""
        self.statements.append((QUERIES[query], params))
        return self

    def add_agent(self, agent: AgentRow) -> Self:
        """Write down that an agent is intended; it begins initializing."""
        return self.do("add_agent", **agent.as_params())

    def move(
        self,
        agent_id: str,
        was: State,
        became: State,
        cause: Cause,
        *,
        evidence: str | None = None,
        at: float,
        request_id: str | None = None,
    ) -> Self:
        """Move an agent; the unit fails with IllegalTransition when it is no more in the state it leaves."""
        return self.do(
            "move",
            agent=agent_id,
            was=str(was),
            became=str(became),
            cause=str(cause),
            evidence=evidence,
            at=at,
            request_id=request_id,
        )

    def set_process(self, agent_id: str, pid: int, process_started: int, boot_id: str) -> Self:
        """Write down which process an agent is."""
        return self.do("set_process", agent=agent_id, pid=pid, process_started=process_started, boot_id=boot_id)

    def set_started(self, agent_id: str, at: float) -> Self:
        """Write down when its program began."""
        return self.do("set_started", agent=agent_id, at=at)

    def set_elsewhere(self, agent_id: str, pid: int | None, cwd: str, limited_by: str | None) -> Self:
        """Write down what a runner says of an agent there: its process, where it began, who holds its limits."""
        return self.do("set_elsewhere", agent=agent_id, pid=pid, cwd=cwd, limited_by=limited_by)

    def also(self, other: Unit) -> Self:
        """Add what another one has."""
        self.statements += other.statements
        self.events += other.events
        return self

    def set_ended(self, agent_id: str, at: float, exit_code: int | None, signal: str | None) -> Self:
        """Write down how it ended; neither code nor signal means that nobody knows."""
        return self.do("set_ended", agent=agent_id, at=at, exit_code=exit_code, signal=signal)

    def set_stop_grace(self, agent_id: str, seconds: float) -> Self:
        """Write down how long its stop lets it go on."""
        return self.do("set_stop_grace", agent=agent_id, seconds=seconds)

    def set_ended_by(self, agent_id: str, why: str) -> Self:
        """Write down which limit ended it; the first one stays."""
        return self.do("set_ended_by", agent=agent_id, why=why)

    def set_usage(self, agent_id: str, usage: dict[str, Any] | None) -> Self:
        """Write down what it has taken."""
        return self.do("set_usage", agent=agent_id, usage=None if usage is None else json.dumps(usage))

    def set_size(self, agent_id: str, rows: int, cols: int) -> Self:
        """Write down the size of its terminal."""
        return self.do("set_size", agent=agent_id, rows=rows, cols=cols)

    def set_begin(self, agent_id: str, stream: str, begin: int) -> Self:
        """Write down that what a stream said before this offset is given up."""
        return self.do("set_output_from" if stream == "stdout" else "set_errors_from", agent=agent_id, begin=begin)

    def begin_anew(self, agent_id: str, stream: str, begin: int) -> Self:
        """Write down that a stream begins here, which may be earlier: its program has cut its own log."""
        return self.do("output_anew" if stream == "stdout" else "errors_anew", agent=agent_id, begin=begin)

    def set_collected(self, agent_id: str, at: float) -> Self:
        """Write down that all of an agent's output is removed as old."""
        return self.do("set_collected", agent=agent_id, at=at)

    def give_up_events(self, to: int) -> Self:
        """Write down that the events up to this one may go; `prune_events` removes them."""
        return self.do("events_gone", to=str(to))

    def prune_events(self, most: int) -> Self:
        """Remove some of the events that may go, oldest first."""
        return self.do("prune_events", most=most)

    def event(self, kind: str, event_type: str, agent_id: str | None, data: dict[str, Any], at: float) -> Self:
        """Tell listeners, once it is committed; `kind` is the type (AgentEvent, …)."""
        self.events.append(NewEvent(new_id(), at, kind, event_type, agent_id, dict(data)))
        return self

    def accept(self, request_id: str, method: str, at: float) -> Self:
        """Write down that a request is being done; the unit fails with Conflict when it was accepted before."""
        return self.do("accept", id=request_id, method=method, at=at)

    def answer(self, request_id: str, reply: dict[str, Any], at: float) -> Self:
        """Keep the reply for a repeat; the first one stays."""
        return self.do("answer", id=request_id, reply=json.dumps(reply), at=at)

    def prune_requests(self, before: float) -> Self:
        """Forget requests accepted before this time."""
        return self.do("prune_requests", before=before)

    def typed(self, agent_id: str, at: float, client: str, length: int, data: bytes | None = None) -> Self:
        """Write down that somebody typed; what, only where that is to be kept."""
        return self.do("typed", agent=agent_id, at=at, client=client, length=length, data=data)

    def remain(self, agent_id: str, pid: int, started: int, kill_at: float | None) -> Self:
        """Write down a process that an ended agent left, and when it is to be killed."""
        return self.do("remain", agent=agent_id, pid=pid, started=started, kill_at=kill_at)

    def remain_gone(self, agent_id: str, pid: int, started: int) -> Self:
        """Forget a process that is gone."""
        return self.do("remain_gone", agent=agent_id, pid=pid, started=started)

    def note(self, key: str, value: str) -> Self:
        """Keep a word about the session itself; the last one counts."""
        return self.do("note", key=key, value=value)
