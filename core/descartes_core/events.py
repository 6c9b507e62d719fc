"""Every event there is, which one a move is, and what a filter lets through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from descartes_core.agent_life import Cause, State
from descartes_core.messages.events import EventFilter


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of event."""

    #: AgentEvent, TaskEvent, WorkflowEvent, SystemEvent or StateEvent.
    type: str
    event_type: str
    #: When it is told; or, of a kind that never is, why not.
    when: str
    #: The keys of `data`.
    data: tuple[str, ...] = ()


#: What every move of an agent tells.
_MOVE = ("name", "was", "status", "cause", "evidence")
#: What is told of who attaches; `untold` so many comings and goings before it were not, because there was a flood.
_WATCHER = ("name", "client", "mode", "watchers", "untold")
#: What the daemon tells of itself.
_DAEMON = ("instance_id", "pid", "version")

#: The first log that could not be written, and what its agent does: wait, or drop.
_DISK = ("path", "trouble", "agent_id", "policy")

#: What is told of a key; never its value, which `state.get` has.
_KEY = ("agent_id", "key", "version")
#: Which hook; `target` is its address or command, without secrets.
_HOOK = ("hook_id", "name", "target")
#: What is told of a task: `task_id` is "phase:id", `source` scud or own, `client` who asked for it here, else null.
_TASK = ("task_id", "title", "source", "client")
_STATUS = (*_TASK, "was", "status")

#: Everything that is told. What happens to agents and to the daemon has the original's words where it has one.
TOLD: tuple[Kind, ...] = (
    Kind(
        "AgentEvent",
        "spawned",
        "it is intended and stored; its program does not run yet (of a long command the beginning)",
        ("name", "status", "command"),
    ),
    Kind("AgentEvent", "started", "its program runs", _MOVE),
    Kind("AgentEvent", "status_changed", "it came to another state that has no word of its own here", _MOVE),
    Kind("AgentEvent", "paused", "its tree is to stand still", _MOVE),
    Kind("AgentEvent", "resumed", "its tree goes on", _MOVE),
    Kind("AgentEvent", "completed", "it ended by itself with exit code 0", _MOVE),
    Kind("AgentEvent", "failed", "it could not be run, or ended badly by itself", _MOVE),
    Kind("AgentEvent", "killed", "it ended after somebody asked for its end", _MOVE),
    Kind("AgentEvent", "attach_connected", "somebody watches its terminal, or types into it", _WATCHER),
    Kind("AgentEvent", "attach_disconnected", "somebody no longer does", _WATCHER),
    Kind(
        "AgentEvent",
        "imported",
        "an ended agent was made of a recording from elsewhere",
        ("name", "from", "bytes", "recorded_at"),
    ),
    Kind(
        "AgentEvent",
        "output_dropped",
        "the oldest of its output was given up; what is asked for before `end` is answered with a gap",
        ("name", "stream", "begin", "end", "reason"),
    ),
    Kind(
        "SystemEvent",
        "supervisor_replaced",
        "nobody kept what this daemon has for so many `seconds`; the next supervisor does",
        (*_DAEMON, "supervisor_pid", "kept", "seconds"),
    ),
    Kind(
        "SystemEvent",
        "daemon_started",
        "a daemon has adopted what was there; `lost` tells what nobody had kept for agents that lived: of which "
        "(`agent_id`, `name`), why, and from which `offset` on what it said may be missing",
        (*_DAEMON, "adopted", "lost", "notices"),
    ),
    Kind(
        "SystemEvent",
        "daemon_hung",
        "the daemon before (`hung_pid`) did not answer the supervisor for `waited` seconds, and was killed",
        (*_DAEMON, "hung_pid", "waited"),
    ),
    Kind(
        "SystemEvent",
        "daemon_stopping",
        "a daemon ends in order (`reason`: `stop`, or `restart` where the next follows); `staying` are the agents kept",
        (*_DAEMON, "staying", "reason"),
    ),
    Kind("SystemEvent", "session_renamed", "the session has another name", ("session_id", "was", "name")),
    Kind(
        "SystemEvent",
        "original_imported",
        "a database of the original Descartes was taken in: so many of each; nothing was made of the tables `left`",
        ("path", "kind", "tasks", "events", "changes", "agents", "left"),
    ),
    Kind(
        "SystemEvent",
        "original_event",
        "an event of such a database, with the time that it had there",
        ("original_type", "actor_type", "actor_id", "content", "id", "session_id", "metadata", "git_commit"),
    ),
    Kind(
        "SystemEvent",
        "session_imported",
        "this session was made of an export of `from_session`; `lost` are the agents that lived then, and do not here",
        ("from_session", "exported_at", "made_by", "lost"),
    ),
    Kind("SystemEvent", "workspace_rewritten", "session.json had vanished and was written anew", ("path", "times")),
    Kind("SystemEvent", "workspace_gone", "the workspace itself has vanished; the agents go on", ("path",)),
    Kind("SystemEvent", "disk_full", "the disk takes no more: agents wait, or lose output (`policy`)", _DISK),
    Kind("SystemEvent", "disk_room", "the disk takes more again", ("path",)),
    Kind(
        "SystemEvent",
        "descriptors_low",
        "few descriptors are free; with less than agents.spare_descriptors no agent is started",
        ("free", "limit"),
    ),
    Kind("SystemEvent", "bus_connected", "the hub of its bus has let it in", ("hub", "name", "server_id")),
    Kind("SystemEvent", "bus_lost", "the hub is gone or silent; it is looked for again", ("hub", "name", "reason")),
    Kind(
        "SystemEvent", "bus_refused", "the hub will not have it; `bus.connect` tries again", ("hub", "name", "reason")
    ),
    Kind("StateEvent", "created", "an agent keeps something under a key that was not there", _KEY),
    Kind("StateEvent", "updated", "it keeps something else there", _KEY),
    Kind("StateEvent", "deleted", "it keeps nothing there any more", _KEY),
    Kind("SystemEvent", "hook_added", "a web address or a command is told of events from now on", (*_HOOK, "on")),
    Kind("SystemEvent", "hook_removed", "it is told of nothing more", _HOOK),
    Kind(
        "SystemEvent",
        "hook_failed",
        "an event could not be delivered in so many `tries`, or nobody wants them there any more (`disabled`); "
        "once until something is delivered again",
        (*_HOOK, "seq", "tries", "error", "disabled"),
    ),
    Kind(
        "StateEvent",
        "restored",
        "keys of ended agents, and own tasks, are as they were in a snapshot: read anew what you hold of them",
        ("snapshot_id", "description", "living"),
    ),
    Kind(
        "SystemEvent",
        "error",
        "a fault of ours, the same one at most once a minute; the log has its text",
        ("where", "kind"),
    ),
    Kind("TaskEvent", "created", "it is there for the first time", (*_TASK, "status")),
    Kind("TaskEvent", "status_changed", "it has another status", _STATUS),
    Kind("TaskEvent", "started", "likewise: it is in-progress", _STATUS),
    Kind("TaskEvent", "completed", "likewise: it is done", _STATUS),
    Kind("TaskEvent", "failed", "likewise: it has failed", _STATUS),
    Kind("TaskEvent", "cancelled", "likewise: it is cancelled", _STATUS),
    Kind(
        "TaskEvent", "progress", "of its `of` subtasks `done` are done, which is not as before", (*_TASK, "done", "of")
    ),
    Kind("TaskEvent", "changed", "something else of it is another (`fields`)", (*_TASK, "status", "fields")),
    Kind("TaskEvent", "removed", "it is not there any more, and was not for two seconds", (*_TASK, "was")),
)

#: The original's other words, and why nothing tells them.
NOT_TOLD = (
    Kind("AgentEvent", "log", "output is no event: it has offsets of its own, and would be stored twice"),
    Kind("AgentEvent", "metric", "figures are asked for: `system.stats`, `system.metrics`"),
    Kind("AgentEvent", "attach_requested", "attaching is one step: there is no token to ask for first"),
    Kind("SystemEvent", "health_check", "looking must not write: `system.health` tells at any moment"),
    Kind("SystemEvent", "metrics_update", "a daemon at rest does nothing: figures are asked for"),
    Kind("SystemEvent", "connection_established", "each `ps` would be two rows for ever: `system.stats` counts them"),
    Kind("SystemEvent", "connection_closed", "likewise; who types into an agent is told by `agent.audit`"),
    *(
        Kind("WorkflowEvent", word, "there are no workflows; the type is reserved")
        for word in ("started", "step_completed", "completed", "failed", "paused", "resumed")
    ),
)

#: Characters of a command line in an event; `agent.get` has all of it.
LONGEST_COMMAND = 4000

#: type → category, as filters name it.
CATEGORIES: Mapping[str, str] = MappingProxyType(
    {
        "AgentEvent": "agent",
        "TaskEvent": "task",
        "WorkflowEvent": "workflow",
        "SystemEvent": "system",
        "StateEvent": "state",
    }
)

_BY_STATE = {
    State.INITIALIZING: "spawned",
    State.RUNNING: "started",
    State.PAUSED: "paused",
    State.COMPLETED: "completed",
    State.FAILED: "failed",
    State.TERMINATED: "killed",
}


def agent_event(cause: Cause, became: State) -> str:
    """Return the event_type of a stored move."""
    if cause in (Cause.RESUME_ASKED, Cause.FOUND, Cause.FOUND_PAUSED):
        return "resumed" if cause is Cause.RESUME_ASKED else "status_changed"
    return _BY_STATE.get(became, "status_changed")


def in_brief(command: Sequence[str]) -> list[str]:
    """Return a command as an event tells it: thousands of events are at hand, and a command may have megabytes."""
    told: list[str] = []
    room = LONGEST_COMMAND
    for word in command:
        if len(word) >= room:
            return [*told, f"{word[:room]}…"]
        told.append(word)
        room -= len(word) + 1
    return told


def fits(event: Mapping[str, Any], wanted: EventFilter) -> bool:
    """Say whether a filter lets an event through: categories and ids must both fit, and an empty list fits all.

    Ids choose among the events of their own category and leave the others alone.
    """
    category = CATEGORIES.get(event["type"], "")
    if wanted.event_categories and category not in wanted.event_categories:
        return False
    match category:
        case "agent":
            return not wanted.agent_ids or event["agent_id"] in wanted.agent_ids
        case "task":
            return not wanted.task_ids or event["data"].get("task_id") in wanted.task_ids
        case "workflow":
            return not wanted.workflow_ids or event["data"].get("workflow_id") in wanted.workflow_ids
    return True
