"""Which event a move of an agent is, and whom it concerns."""

from __future__ import annotations

from collections.abc import Sequence

from descartes_core.agent_life import Cause, State

#: The original's words for what happens to agents.
_BY_STATE = {
    State.INITIALIZING: "spawned",
    State.RUNNING: "started",
    State.PAUSED: "paused",
    State.COMPLETED: "completed",
    State.FAILED: "failed",
    State.TERMINATED: "killed",
}

#: type → category, as filters name it.
CATEGORIES = {
    "AgentEvent": "agent",
    "TaskEvent": "task",
    "WorkflowEvent": "workflow",
    "SystemEvent": "system",
    "StateEvent": "state",
}


def agent_event(cause: Cause, became: State) -> str:
    """Return the event_type of a stored move."""
    if cause in (Cause.RESUME_ASKED, Cause.FOUND, Cause.FOUND_PAUSED):
        return "resumed" if cause is Cause.RESUME_ASKED else "status_changed"
    return _BY_STATE.get(became, "status_changed")


def fits(
    event_type: str, agent_id: str | None, *, categories: Sequence[str] = (), agent_ids: Sequence[str] = ()
) -> bool:
    """Say whether an event of this type (e.g. AgentEvent) passes a filter; id filters touch only their category."""
    category = CATEGORIES[event_type]
    if categories and category not in categories:
        return False
    return not (agent_ids and category == "agent") or agent_id in agent_ids
