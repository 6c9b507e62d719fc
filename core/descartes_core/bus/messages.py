"""Every message of the bus, with the names and fields of the original protocol.

A message is one msgpack map; `type` tells which. Fields that a newer minor version adds are ignored. What stands behind
"ours" in a class was not in the original; all of it may be left out. docs/bus.md has it all for other languages.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

#: Major: what does not understand one another. Minor: what was added.
PROTOCOL_VERSION = "1.0.0"
#: Bytes of one message, checked before it is decoded (10 MiB, as in the original).
LARGEST = 10 * 1024 * 1024
#: The most output bytes in one message; small enough that typing and heartbeats do not wait behind it.
LARGEST_PIECE = 256 * 1024
#: Letters of what is told to people of an agent, and of a path.
LONGEST_SENTENCE = 5000

Id = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Word = Annotated[str, StringConstraints(max_length=200)]
Text = Annotated[str, StringConstraints(max_length=1_000_000)]
Offset = Annotated[int, Field(ge=0, lt=1 << 63)]
Count = Annotated[int, Field(ge=0, lt=1 << 31)]
Role = Literal["client", "daemon", "runner"]
StreamName = Literal["stdout", "stderr"]
CommandType = Literal[
    "pause",
    "resume",
    "stop",
    "kill",
    "write_stdin",
    "read_stdout",
    "read_stderr",
    "get_status",
    "signal",
    "custom_action",
    "query_output",
    "stream_logs",
]
UpdateType = Literal["status_changed", "output_available", "error", "completed", "terminated", "heartbeat"]
Payload = dict[str, Any]


class Message(BaseModel):
    """What crosses the bus."""

    # Numbers that are none (NaN) would be told on as JSON that is none.
    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, defer_build=True, allow_inf_nan=False)


class Request(Message):
    """What gets an answer with the same request_id, also when it is asked again."""

    request_id: Id


class AgentConfig(Message):
    """What to run: a backend with a task, as in the original, or (ours) a command."""

    name: Word = ""
    #: claude, claude-code-cli, opencode, or a name with "cli" in it, whose first part is the command.
    model_backend: Word = ""
    task: Text = ""
    context: Text | None = None
    system_prompt: Text | None = None
    environment: dict[str, str] = {}
    # Ours: as in agent.spawn.
    agent_id: Id | None = None
    command: tuple[str, ...] = ()
    cwd: str | None = None
    tty: bool = True
    rows: int | None = None
    cols: int | None = None
    grace: float | None = None
    stop_signal: Word | None = None
    leave: bool = False
    umask: int = 0o022
    #: memory, cpus, pids, timeout, as in agent.spawn.
    limits: Payload | None = None


class AgentInfo(Message):
    """An agent as its host sees it: no more than a sentence where there is a sentence, since others keep it."""

    id: Id
    name: str
    #: idle, initializing, running, thinking, paused, completed, failed, terminated; and ours: stopping, lost.
    status: Word
    model_backend: str = ""
    #: RFC 3339.
    started_at: Word | None = None
    task: str = ""
    paused_at: Word | None = None
    pause_mode: Literal["cooperative", "forced"] | None = None
    attach_info: Payload | None = None
    # Ours.
    session_id: str = ""
    host: str = ""
    pid: Count | None = None
    command: tuple[str, ...] = ()
    cwd: Annotated[str, StringConstraints(max_length=LONGEST_SENTENCE)] = ""
    tty: bool = True
    rows: Count = 24
    cols: Count = 80
    ended_at: Word | None = None
    exit_code: Annotated[int, Field(ge=-(1 << 31), lt=1 << 31)] | None = None
    signal: Word | None = None
    #: The last cause that moved it, and what was seen (docs/lifecycle.md).
    cause: Word | None = None
    evidence: Annotated[str, StringConstraints(max_length=LONGEST_SENTENCE)] | None = None
    notice: Annotated[str, StringConstraints(max_length=LONGEST_SENTENCE)] | None = None
    limited_by: Word | None = None
    ended_by: Annotated[str, StringConstraints(max_length=LONGEST_SENTENCE)] | None = None
    usage: Payload | None = None
    #: Bytes of each stream so far, and the first offset that is still there.
    stdout_bytes: Offset = 0
    stderr_bytes: Offset = 0
    stdout_from: Offset = 0
    stderr_from: Offset = 0
    #: Whether nothing of its tree is left, and nothing more will be said.
    is_gone: bool = False


class SpawnRequest(Request):
    """Start an agent; a repeat with the same request_id starts nothing."""

    type: Literal["spawn_request"] = "spawn_request"
    config: AgentConfig
    #: Not started within this: it is not started later either, or ended.
    timeout_secs: Annotated[float, Field(gt=0, le=86_400)] | None = None
    metadata: Payload | None = None


class SpawnResponse(Request):
    """The agent, or why there is none."""

    type: Literal["spawn_response"] = "spawn_response"
    success: bool
    agent_info: AgentInfo | None = None
    error: str | None = None
    server_id: str | None = None
    #: Ours: the error's stable word (docs/errors.md).
    code: str | None = None


class ControlCommand(Request):
    """Do something to one agent, or read from it; docs/bus.md has each payload."""

    type: Literal["control_command"] = "control_command"
    agent_id: Id
    command_type: CommandType
    payload: Payload | None = None


class CommandResponse(Request):
    """What came of it."""

    type: Literal["command_response"] = "command_response"
    agent_id: Id
    success: bool
    status: str | None = None
    data: Payload | None = None
    error: str | None = None
    code: str | None = None


class StatusUpdate(Message):
    """News of one agent, unasked."""

    type: Literal["status_update"] = "status_update"
    agent_id: Id
    update_type: UpdateType
    status: str | None = None
    message: str | None = None
    data: Payload | None = None
    timestamp: str
    #: Ours: the whole agent, as it is now.
    agent_info: AgentInfo | None = None


class ListAgentsRequest(Request):
    """Which agents are there: a daemon's own, or those that a runner runs for who asks; ended ones too."""

    type: Literal["list_agents_request"] = "list_agents_request"
    filter_status: Word | None = None
    limit: Annotated[int, Field(ge=1)] | None = None
    #: Ours: only these.
    agent_ids: tuple[Id, ...] | None = None


class ListAgentsResponse(Request):
    """These; of the `agent_ids` asked for, those that are not among them are not known."""

    type: Literal["list_agents_response"] = "list_agents_response"
    success: bool
    agents: tuple[AgentInfo, ...] = ()
    error: str | None = None
    code: str | None = None


class HealthCheckRequest(Request):
    """Ask how somebody is."""

    type: Literal["health_check_request"] = "health_check_request"


class HealthCheckResponse(Request):
    """How the one who is asked is; metadata has server_id, endpoint, max_agents."""

    type: Literal["health_check_response"] = "health_check_response"
    healthy: bool
    protocol_version: str
    uptime_secs: float | None = None
    active_agents: int | None = None
    metadata: Payload | None = None


class BatchControlCommand(Request):
    """Do the same to many agents."""

    type: Literal["batch_control_command"] = "batch_control_command"
    agent_ids: Annotated[tuple[Id, ...], Field(min_length=1, max_length=1000)]
    command_type: CommandType
    payload: Payload | None = None
    fail_fast: bool = False


class BatchResult(Message):
    """What came of it for one of them."""

    agent_id: Id
    success: bool
    status: str | None = None
    error: str | None = None
    code: str | None = None


class BatchControlResponse(Request):
    """What came of it, in the order asked; success: for all."""

    type: Literal["batch_control_response"] = "batch_control_response"
    results: tuple[BatchResult, ...]
    success: bool
    successful: int
    failed: int
    #: Ours: why none was tried.
    error: str | None = None
    code: str | None = None


class CustomActionRequest(Request):
    """Do something else: echo, ping, get_env, and ours (docs/bus.md); answered by a command_response."""

    type: Literal["custom_action_request"] = "custom_action_request"
    agent_id: Id
    action: Word
    params: Payload | None = None
    timeout_secs: Annotated[float, Field(gt=0, le=86_400)] | None = None


class OutputQueryRequest(Request):
    """Read lines that an agent said; nothing is consumed."""

    type: Literal["output_query_request"] = "output_query_request"
    agent_id: Id
    stream: Literal["stdout", "stderr", "both"] = "both"
    #: A regular expression (RE2).
    filter: Annotated[str, StringConstraints(max_length=1000)] | None = None
    #: Lines, and how many of those found are passed over first.
    limit: Annotated[int, Field(ge=1, le=100_000)] | None = None
    offset: Offset | None = None


class OutputQueryResponse(Request):
    """The lines, without control sequences."""

    type: Literal["output_query_response"] = "output_query_response"
    agent_id: Id
    success: bool
    lines: tuple[str, ...] = ()
    total_lines: int | None = None
    has_more: bool = False
    error: str | None = None
    code: str | None = None


# What follows is ours.


class Hello(Message):
    """The first word of a daemon, a runner, or a client that wants to hear more than answers."""

    type: Literal["hello"] = "hello"
    protocol_version: str
    role: Role
    #: What it calls itself: the enrolled name; a daemon: that and its session's id, `laptop/3f2a…`.
    name: Word
    #: Another, larger one at each start of the process: of two with one name the larger goes on.
    generation: Offset
    #: Of the package, for people.
    version: Word = ""
    #: A daemon's session, by the name that people use.
    title: Word = ""
    labels: Annotated[tuple[Word, ...], Field(max_length=50)] = ()
    #: The most agents a runner takes; 0: it says nothing of that.
    capacity: Count = 0
    #: Whether it wants every daemon's status updates.
    updates: bool = False


class Peer(Message):
    """Somebody at the bus, as the hub knows it."""

    name: Word
    role: Role
    state: Literal["connected", "lost", "gone"]
    #: Its CURVE public key (Z85), by which the name is bound.
    key: Word
    generation: Offset = 0
    #: RFC 3339: since when it is in this state, and when it was last heard.
    since: str
    last_heard: str | None = None
    version: Word = ""
    title: Word = ""
    labels: tuple[Word, ...] = ()
    capacity: int = 0
    agents: int = 0
    #: Processes that want to run, a processor (the one-minute load average by the number of processors).
    load: float = 0.0
    is_draining: bool = False
    updates: bool = False


class Welcome(Message):
    """The hub's answer to hello: how it beats, and who is there."""

    type: Literal["welcome"] = "welcome"
    protocol_version: str
    server_id: Word
    #: Which instance of the hub: another one after each of its starts.
    instance_id: Word
    #: Seconds between heartbeats, and how many may be missed.
    heartbeat_secs: Annotated[float, Field(gt=0)]
    misses: Annotated[int, Field(ge=1)]
    status_interval_secs: Annotated[float, Field(gt=0)] = 10.0
    status_updates: bool = True
    #: For daemons: all runners, and the clients that want updates; for runners: all daemons.
    peers: tuple[Peer, ...] = ()
    #: The number of the last peer_update that is among these already.
    told: Offset = 0


class PeerUpdate(Message):
    """News of one peer, told to those whom its coming and going concerns."""

    type: Literal["peer_update"] = "peer_update"
    peer: Peer
    #: One more than that of the one before. Whoever missed one says hello again, to be welcomed with all peers.
    number: Offset | None = None


class Heartbeat(Message):
    """I am here; the hub answers each with one. A runner tells what it does."""

    type: Literal["heartbeat"] = "heartbeat"
    generation: Offset = 0
    agents: Count | None = None
    load: Annotated[float, Field(ge=0)] | None = None
    is_draining: bool | None = None
    #: When the next one comes: a peer that has nothing to do with others beats less often than the hub asks for, and
    #: `misses` counts in this.
    interval_secs: Annotated[float, Field(gt=0, le=3600)] | None = None
    #: Of the hub: the number of the last peer_update it meant you to have.
    told: Offset | None = None


class Output(Message):
    """A piece of what an agent said, sent only as far as credit was given."""

    type: Literal["output"] = "output"
    agent_id: Id
    stream: StreamName = "stdout"
    #: Of the first byte of `data`, from the beginning of the stream.
    offset: Offset
    data: bytes = b""
    #: Why nothing between the offset asked for and this one is there.
    gap: str | None = None
    #: Nothing will come after this piece.
    is_last: bool = False


class Credit(Message):
    """Send me this stream from `offset`, up to `until`; the last word counts, and a repeat is harmless."""

    type: Literal["credit"] = "credit"
    agent_id: Id
    stream: StreamName = "stdout"
    offset: Offset
    #: Not beyond this offset; as large as `offset`: nothing more for now.
    until: Offset


class Goodbye(Message):
    """I leave, or you must; then with the reason and its code."""

    type: Literal["goodbye"] = "goodbye"
    reason: str = ""
    code: str | None = None


class PeersRequest(Request):
    """Ask who is there: daemons and clients are told of runners, and clients of daemons."""

    type: Literal["peers_request"] = "peers_request"
    role: Role | None = None


class PeersResponse(Request):
    """These."""

    type: Literal["peers_response"] = "peers_response"
    success: bool
    peers: tuple[Peer, ...] = ()
    error: str | None = None
    code: str | None = None


class EnrollRequest(Request):
    """Make a key known, by an invitation that works once; spoken with the invitation's own key."""

    type: Literal["enroll_request"] = "enroll_request"
    #: The new public key (Z85).
    public_key: Annotated[str, StringConstraints(min_length=40, max_length=40)]
    #: Where the invitation names nobody.
    name: Word = ""
    #: What the newcomer means to be: an invitation for something else is refused, and not spent.
    role: Role | None = None


class EnrollResponse(Request):
    """The name and role under which it is known from now on."""

    type: Literal["enroll_response"] = "enroll_response"
    success: bool
    name: str = ""
    role: Role | None = None
    labels: tuple[Word, ...] = ()
    error: str | None = None
    code: str | None = None


class Problem(Message):
    """What cannot be answered otherwise: nonsense, nobody there, not allowed."""

    type: Literal["error"] = "error"
    code: str
    error: str
    #: Of the request it is about, where that had one.
    request_id: Id | None = None
    #: The peer that could not be reached.
    to: str | None = None


AnyMessage = Annotated[
    SpawnRequest
    | SpawnResponse
    | ControlCommand
    | CommandResponse
    | StatusUpdate
    | ListAgentsRequest
    | ListAgentsResponse
    | HealthCheckRequest
    | HealthCheckResponse
    | BatchControlCommand
    | BatchControlResponse
    | CustomActionRequest
    | OutputQueryRequest
    | OutputQueryResponse
    | Hello
    | Welcome
    | PeerUpdate
    | Heartbeat
    | Output
    | Credit
    | Goodbye
    | PeersRequest
    | PeersResponse
    | EnrollRequest
    | EnrollResponse
    | Problem,
    Field(discriminator="type"),
]
