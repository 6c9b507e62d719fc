"""The one table of methods: every door is made from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from descartes_core import errors

#: The largest message at any door.
LARGEST_MESSAGE = 10 * 1024 * 1024
#: The most output bytes one reply carries (base64 makes a third more of it).
LARGEST_PIECE = 1024 * 1024
#: The longest a call may follow something (seconds); clients ask again.
LONGEST_WAIT = 300.0

RequestId = Annotated[str, StringConstraints(min_length=1, max_length=100)]
#: An id, a unique prefix of one, or a name.
AgentName = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Uuid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
Rows = Annotated[int, Field(ge=1, le=1000)]
Wait = Annotated[float, Field(ge=0, le=LONGEST_WAIT)]
Grace = Annotated[float, Field(ge=0, le=3600)]
Argument = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=131_071)]


class Model(BaseModel):
    """What crosses a door: strict, and nothing unknown."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Nothing(Model):
    """A reply that says only that it was done, or a request that says nothing."""


class Change(Model):
    """A request that changes something."""

    #: Made by the caller: a repeat with the same id gets the first answer again (24 h) and is not done twice.
    request_id: RequestId | None = None


class AgentInfo(Model):
    """An agent, as every list shows it."""

    id: str
    name: str
    #: The state of its life (docs/lifecycle.md).
    status: str
    session_id: str
    host: str
    pid: int | None
    command: list[str]
    cwd: str
    started_at: str | None
    ended_at: str | None
    exit_code: int | None
    #: Name of the signal that ended it, e.g. SIGKILL.
    signal: str | None
    output_bytes: int
    #: What a person should know: "disk full", "no terminal: …"; else null.
    notice: str | None


class AgentDetail(AgentInfo):
    """An agent with everything that is known of it."""

    #: The last cause that moved it, and what was seen.
    cause: str
    evidence: str | None
    rows: int
    cols: int
    grace: float
    stop_signal: str
    leave: bool
    created_at: str
    log_path: str
    #: How the output is taken: splice, copy, or none any more.
    recording: str


class Unattributed(Model):
    """A process that some agent left behind, without any mark of whose it is."""

    pid: int
    session_id: str
    command: str


class Spawn(Change):
    """Start a program in a terminal of its own, in the caller's surroundings."""

    #: A UUID made by the caller; a second spawn with the same id is refused.
    agent_id: Uuid | None = None
    #: Default: the program's name and the beginning of the id.
    name: Annotated[str, StringConstraints(max_length=1000)] | None = None
    #: Default: the configured command, else SHELL of `env`.
    command: Annotated[list[Argument], Field(max_length=10_000)] = []
    #: Default: the workspace.
    cwd: Argument | None = None
    #: The whole environment; default: a bare one (PATH, HOME, USER, SHELL, LANG of the user).
    env: dict[Argument, Argument] | None = None
    #: Additions to `env`.
    extra_env: dict[Argument, Argument] = {}
    #: As a number: 18 is 0o022.
    umask: Annotated[int, Field(ge=0, le=0o777)] = 0o022
    rows: Rows = 24
    cols: Rows = 80
    #: Seconds between the stop signal and KILL; default from the configuration (10).
    grace: Grace | None = None
    #: Default: HUP for shells, TERM for all else.
    stop_signal: Annotated[str, StringConstraints(max_length=20)] | None = None
    #: Whether what the program leaves behind may live on after its end.
    leave: bool = False


class AgentReply(Model):
    """One agent."""

    agent: AgentInfo


class ListAgents(Model):
    """List the agents of this session."""

    #: Ended ones too.
    all: bool = False


class AgentList(Model):
    """Agents, oldest first."""

    agents: list[AgentInfo]
    unattributed: list[Unattributed]


class OneAgent(Model):
    """Name one agent."""

    agent_id: AgentName


class DetailReply(Model):
    """One agent with everything that is known of it."""

    agent: AgentDetail


class ReadOutput(Model):
    """Read what an agent said, from an offset."""

    agent_id: AgentName
    #: Absolute offset in bytes.
    offset: Annotated[int, Field(ge=0)] | None = None
    #: Instead of an offset: begin this many lines before the end.
    tail: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    limit: Annotated[int, Field(ge=1, le=LARGEST_PIECE)] = 65_536
    #: Wait this many seconds for the first byte, or for the end.
    wait: Wait = 0.0


class Output(Model):
    """A piece of output."""

    offset: int
    #: base64
    data: str
    next_offset: int
    #: Bytes kept so far.
    size: int
    #: Nothing more will come after `size`.
    ended: bool


class Write(Change):
    """Type into an agent's terminal: text or bytes, not both."""

    agent_id: AgentName
    text: Annotated[str, StringConstraints(max_length=LARGEST_PIECE)] | None = None
    #: base64
    data: Annotated[str, StringConstraints(max_length=LARGEST_PIECE * 2)] | None = None
    #: Press Enter, as a write of its own, once the echo has been quiet for 120 ms (1 s at most).
    enter: bool = False


class Written(Model):
    """How many bytes the terminal took."""

    written: int


class Resize(Change):
    """Set the size of an agent's terminal."""

    agent_id: AgentName
    rows: Rows
    cols: Rows


class Signal(Change):
    """Send one signal to an agent's own process."""

    agent_id: AgentName
    #: A name with or without SIG, e.g. INT.
    signal: Annotated[str, StringConstraints(max_length=20)]


class ChangeAgent(Change):
    """Change one agent."""

    agent_id: AgentName


class Stop(ChangeAgent):
    """Ask an agent to end, and kill what is left of its tree after the grace; answered when all of it is gone."""

    #: Instead of the agent's own.
    grace: Grace | None = None


class WaitAgent(Model):
    """Wait for an agent's end."""

    agent_id: AgentName
    timeout: Wait = LONGEST_WAIT


class Waited(Model):
    """The agent, and whether it has ended."""

    agent: AgentInfo
    ended: bool


class Attach(Model):
    """Turn this connection into the agent's terminal (Unix socket only; docs/protocol.md has the frames)."""

    agent_id: AgentName
    #: Size of the caller's terminal; None leaves the agent's as it is.
    rows: Rows | None = None
    cols: Rows | None = None
    #: Go on from this offset instead of painting a screen first.
    offset: Annotated[int, Field(ge=0)] | None = None
    mode: Literal["rw", "ro"] = "rw"


class SessionInfo(Model):
    """A session as its daemon sees it."""

    id: str
    name: str
    path: str
    status: str
    pid: int
    http_endpoint: str
    ws_endpoint: str
    started_at: str
    instance_id: str
    version: str
    #: How many agents are alive.
    agents: int
    #: What a person should know, e.g. that the workspace could not be locked.
    notices: list[str]


class SessionReply(Model):
    """The session of one daemon."""

    session: SessionInfo


class EventFilter(Model):
    """Which events: categories and ids must both fit, an empty list fits all."""

    #: Ids; other categories than agent are not touched by it.
    agent_ids: Annotated[list[str], Field(max_length=1000)] = []
    event_categories: list[Literal["agent", "task", "workflow", "system", "state"]] = []


class ListEvents(Model):
    """Read events after a cursor."""

    #: The seq of the last event already known.
    since: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(ge=1, le=10_000)] = 1000
    filter: EventFilter = EventFilter()
    #: Wait this many seconds for the first one.
    wait: Wait = 0.0


class Event(Model):
    """Something that happened."""

    #: Grows by one, per session, without holes.
    seq: int
    id: str
    timestamp: str
    type: Literal["AgentEvent", "TaskEvent", "SystemEvent", "StateEvent"]
    event_type: str
    agent_id: str | None
    data: dict[str, Any]


class EventList(Model):
    """Events in order."""

    events: list[Event]
    #: The cursor to go on from (past events the filter left out).
    next_since: int
    #: The newest seq there is.
    last_seq: int


class Health(Model):
    """Whether the daemon works: `healthy`, or what is wrong with its store."""

    status: str
    service: Literal["descartes-daemon"]
    version: str
    session_id: str
    instance_id: str
    pid: int
    uptime_secs: float


class Stats(Model):
    """Counters of this daemon."""

    agents: dict[str, int]
    output_bytes: int
    events: int
    requests: int
    connections: int
    #: How each living agent's output is taken.
    recording: dict[str, str]
    uptime_secs: float


class Shutdown(Change):
    """End this daemon; refused while agents live, unless `force`, which ends them first."""

    force: bool = False
    #: Instead of each agent's own grace.
    grace: Grace | None = None


class ShutDown(Model):
    """The agents that were ended."""

    ended: list[str]


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

_METHODS = (
    Method(
        "agent.spawn",
        Spawn,
        AgentReply,
        (errors.SpawnFailed, errors.NameTaken, errors.AlreadyExists, errors.LimitReached, errors.NeverSpawned),
    ),
    Method("agent.list", ListAgents, AgentList),
    Method("agent.get", OneAgent, DetailReply, _AGENT, "Tell everything that is known of one agent."),
    Method("agent.output", ReadOutput, Output, _AGENT),
    Method("agent.write", Write, Written, (*_AGENT, errors.Refused, errors.OutcomeUnknown)),
    Method("agent.resize", Resize, Nothing, (*_AGENT, errors.Refused)),
    Method("agent.signal", Signal, Nothing, (*_AGENT, errors.Refused, errors.OutcomeUnknown)),
    Method("agent.pause", ChangeAgent, AgentReply, _MOVE, "Hold an agent's whole tree of processes still."),
    Method("agent.resume", ChangeAgent, AgentReply, _MOVE, "Let a paused agent go on."),
    Method("agent.stop", Stop, AgentReply, _MOVE),
    Method("agent.kill", ChangeAgent, AgentReply, _MOVE, "Kill an agent's whole tree; answered when it is gone."),
    Method("agent.wait", WaitAgent, Waited, _AGENT),
    Method("agent.attach", Attach, AgentReply, (*_AGENT, errors.Refused)),
    Method("session.info", Nothing, SessionReply, about="Tell of this daemon and its session."),
    Method("event.list", ListEvents, EventList),
    Method("system.health", Nothing, Health, about="Say whether the daemon works, from a look at its store."),
    Method("system.stats", Nothing, Stats, about="Count what this daemon has and does."),
    Method("system.shutdown", Shutdown, ShutDown, (errors.AgentsAlive,)),
)

METHODS: Mapping[str, Method] = MappingProxyType({method.name: method for method in _METHODS})
