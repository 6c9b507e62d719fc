"""The one table of methods: every door is made from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from descartes_core import errors
from descartes_core.messages.agents import (
    AgentList,
    AgentReply,
    Audit,
    Batch,
    BatchReply,
    DetailReply,
    ListAgents,
    ReadAudit,
    Signal,
    Spawn,
    Stop,
    WaitAgent,
    Waited,
)
from descartes_core.messages.bus import BusStatus, ConnectBus, DrainBus
from descartes_core.messages.common import ChangeAgent, Model, Nothing, OneAgent
from descartes_core.messages.events import EventList, ListEvents
from descartes_core.messages.history import ReadTransitions, Transitions
from descartes_core.messages.hooks import (
    AddHook,
    DeadLetters,
    HookAdded,
    HookList,
    HookReply,
    HookRetried,
    ListDeliveries,
    RemoveHook,
    RetryHook,
)
from descartes_core.messages.output import Output, ReadOutput, ReadScreen, Screen
from descartes_core.messages.recordings import ImportRecording, InputPage, ReadInput, RecordingImported
from descartes_core.messages.search import Query, QueryReply, RebuildSearch, SearchStatus
from descartes_core.messages.sessions import Collect, CollectReply, RenameSession, SessionReply
from descartes_core.messages.state import (
    DeleteState,
    ForgetSnapshot,
    GetState,
    ListSnapshots,
    QueryState,
    Restored,
    RestoreSnapshot,
    SetState,
    SnapshotList,
    SnapshotReply,
    StateChanged,
    StatePage,
    StateValue,
    TakeSnapshot,
)
from descartes_core.messages.system import Health, Metrics, ShutDown, Shutdown, Stats
from descartes_core.messages.tasks import (
    AddTask,
    ClaimTask,
    ListTasks,
    NextReply,
    NextTask,
    OfTree,
    OneTask,
    PhaseList,
    SetTaskStatus,
    TaskList,
    TaskReply,
    TaskStats,
    UpdateTask,
    UsePhase,
    Waves,
    WavesReply,
)
from descartes_core.messages.terminals import Attach, Resize, Write, Written
from descartes_core.messages.transfer import Exported, ExportSession, ImportOriginal, OriginalImported


@dataclass(frozen=True, slots=True)
class Method:
    """One method: what goes in, what comes out, what may go wrong."""

    name: str
    request: type[Model]
    reply: type[Model]
    #: Besides InvalidParams, Unauthorized and DeadlineOver, which any may raise.
    errors: tuple[type[errors.DescartesError], ...] = ()
    #: Where several methods share a request.
    about: str | None = None

    @property
    def doc(self) -> str:
        """The sentence for references."""
        return self.about or (self.request.__doc__ or "").strip()


_AGENT = (errors.AgentNotFound, errors.Ambiguous)
_MOVE = (*_AGENT, errors.IllegalTransition)

_STATE = (
    Method("state.get", GetState, StateValue, (*_AGENT, errors.NotFound)),
    Method("state.query", QueryState, StatePage, _AGENT),
    Method("state.set", SetState, StateChanged, (*_AGENT, errors.Conflict, errors.LimitReached, errors.TooLarge)),
    Method("state.delete", DeleteState, StateChanged, (*_AGENT, errors.Conflict, errors.NotFound)),
    Method("state.snapshot", TakeSnapshot, SnapshotReply, (errors.LimitReached, errors.OutcomeUnknown)),
    Method("state.snapshots", ListSnapshots, SnapshotList, (errors.NotFound, errors.Ambiguous)),
    Method("state.restore", RestoreSnapshot, Restored, (errors.NotFound, errors.Ambiguous)),
    Method("state.forget", ForgetSnapshot, SnapshotReply, (errors.NotFound, errors.Ambiguous)),
    Method("state.transitions", ReadTransitions, Transitions, _AGENT),
)
_TASK = (errors.TaskNotFound, errors.Ambiguous)
_TASK_WRITE = (*_TASK, errors.Refused, errors.Conflict, errors.Unavailable)
_TASKS = (
    Method("task.list", ListTasks, TaskList, (errors.TaskNotFound,)),
    Method("task.get", OneTask, TaskReply, _TASK),
    Method("task.next", NextTask, NextReply, (errors.TaskNotFound,)),
    Method("task.waves", Waves, WavesReply, (errors.TaskNotFound,)),
    Method("task.stats", OfTree, TaskStats, about="Count tasks, dependencies, parents and texts."),
    Method("task.phases", OfTree, PhaseList, about="List the phases, and how far each is."),
    Method("task.use", UsePhase, PhaseList, (errors.TaskNotFound, errors.Refused, errors.Unavailable)),
    Method("task.set_status", SetTaskStatus, TaskReply, _TASK_WRITE),
    Method("task.claim", ClaimTask, TaskReply, _TASK_WRITE),
    Method("task.add", AddTask, TaskReply, (*_TASK, errors.AlreadyExists, errors.Refused)),
    Method("task.update", UpdateTask, TaskReply, (*_TASK, errors.Refused)),
)

_METHODS = (
    Method(
        "agent.spawn",
        Spawn,
        AgentReply,
        (
            errors.SpawnFailed,
            errors.NameTaken,
            errors.AlreadyExists,
            errors.LimitReached,
            errors.Shortage,
            errors.NeverSpawned,
            errors.TaskNotFound,
        ),
    ),
    Method("agent.list", ListAgents, AgentList),
    Method("agent.get", OneAgent, DetailReply, _AGENT, "Tell everything that is known of one agent."),
    Method("agent.output", ReadOutput, Output, (*_AGENT, errors.Refused)),
    Method("agent.screen", ReadScreen, Screen, (*_AGENT, errors.Refused)),
    Method("agent.audit", ReadAudit, Audit, _AGENT),
    Method("agent.write", Write, Written, (*_AGENT, errors.Refused, errors.OutcomeUnknown)),
    Method("agent.resize", Resize, Nothing, (*_AGENT, errors.Refused)),
    Method("agent.signal", Signal, Nothing, (*_AGENT, errors.Refused, errors.OutcomeUnknown)),
    Method("agent.pause", ChangeAgent, AgentReply, _MOVE, "Hold an agent's whole tree of processes still."),
    Method("agent.resume", ChangeAgent, AgentReply, _MOVE, "Let a paused agent go on."),
    Method("agent.stop", Stop, AgentReply, _MOVE),
    Method("agent.kill", ChangeAgent, AgentReply, _MOVE, "Kill an agent's whole tree; answered when it is gone."),
    Method("agent.batch", Batch, BatchReply),
    Method("agent.wait", WaitAgent, Waited, _AGENT),
    Method("agent.attach", Attach, AgentReply, (*_AGENT, errors.Refused)),
    Method("session.info", Nothing, SessionReply, about="Tell of this daemon and its session."),
    Method("session.rename", RenameSession, SessionReply, (errors.Refused, errors.Unavailable)),
    Method("session.collect", Collect, CollectReply),
    Method("session.export", ExportSession, Exported, (errors.AlreadyExists, errors.Unavailable)),
    Method(
        "state.import",
        ImportOriginal,
        OriginalImported,
        (errors.AlreadyExists, errors.ArchiveInvalid, errors.NotFound, errors.Refused),
    ),
    Method("bus.status", Nothing, BusStatus, about="Tell how this daemon stands to the hub of its bus."),
    Method("bus.connect", ConnectBus, BusStatus, (errors.Unavailable,)),
    Method("bus.drain", DrainBus, BusStatus, (errors.Refused,)),
    Method("recording.import", ImportRecording, RecordingImported, (errors.AlreadyExists, errors.Refused)),
    Method("recording.input", ReadInput, InputPage, _AGENT),
    Method("event.list", ListEvents, EventList),
    *_STATE,
    *_TASKS,
    Method("search.query", Query, QueryReply, (*_AGENT, errors.Refused)),
    Method("search.status", Nothing, SearchStatus, about="Tell what can be found again, and how far the index is."),
    Method("search.rebuild", RebuildSearch, SearchStatus, (errors.Refused, errors.Unavailable)),
    Method("system.health", Nothing, Health, about="Say whether the daemon works, from a look at its store."),
    Method("system.stats", Nothing, Stats, about="Count what this daemon has and does."),
    Method("system.metrics", Nothing, Metrics, about="The same counters, and durations, as Prometheus reads them."),
    Method("system.shutdown", Shutdown, ShutDown, (errors.AgentsAlive,)),
    Method("hook.add", AddHook, HookAdded, (errors.Refused, errors.LimitReached, errors.NameTaken)),
    Method("hook.list", Nothing, HookList, about="Tell who is told of events, and how far that has come."),
    Method("hook.remove", RemoveHook, HookReply, (errors.HookNotFound, errors.Ambiguous)),
    Method("hook.deliveries", ListDeliveries, DeadLetters, (errors.HookNotFound, errors.Ambiguous)),
    Method("hook.retry", RetryHook, HookRetried, (errors.HookNotFound, errors.Ambiguous, errors.NotFound)),
)

METHODS: Mapping[str, Method] = MappingProxyType({method.name: method for method in _METHODS})
