"""The sections of the configuration: each key with its type, its limits and its default."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from descartes_core.messages.common import LARGEST_MESSAGE
from descartes_core.restart import RestartRule


@dataclass(frozen=True, slots=True)
class Harmless:
    """Marks a key that a file in a workspace may set: whoever wrote it can take nothing, and hide nothing, by it."""


def _no_truth(value: object) -> object:
    # TOML's true would otherwise be the number 1.
    if isinstance(value, bool):
        raise ValueError("a number is needed")
    return value


NUMBER = BeforeValidator(_no_truth)
Port = Annotated[int, NUMBER, Field(ge=1, le=65_535)]
#: 200 ports are tried from a base.
BasePort = Annotated[int, NUMBER, Field(ge=1024, le=65_335)]
Seconds = Annotated[float, NUMBER, Field(ge=0, le=86_400, allow_inf_nan=False)]
Count = Annotated[int, NUMBER, Field(ge=1, le=1_000_000)]
Bytes = Annotated[int, NUMBER, Field(ge=0, le=1024**5)]
Days = Annotated[float, NUMBER, Field(ge=0, le=36_500, allow_inf_nan=False)]
Cells = Annotated[int, NUMBER, Field(ge=1, le=1000)]
SomePath = Annotated[str, StringConstraints(min_length=1, pattern=r"^[^\x00]+$")]
Argument = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
SomePattern = Annotated[str, StringConstraints(min_length=1, max_length=1000)]

_RULE = RestartRule()
_HARMLESS = Harmless()


class Section(BaseModel):
    """A table of a configuration file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Server(Section):
    """The doors of a daemon; it listens on the loopback address only."""

    #: HTTP port of a daemon that runs alone.
    http_port: Port = 8080
    #: WebSocket port of a daemon that runs alone.
    ws_port: Port = 8081
    #: Seconds a request may take.
    request_timeout: Seconds = 30.0
    #: Connections at the same time, on each door.
    max_connections: Count = 1000
    #: Requests a second that are answered without a valid token, all together; 0: any number.
    max_strangers: Annotated[int, NUMBER, Field(ge=0, le=1_000_000)] = 200
    #: Seconds a client may take to send its request's head, and to send anything more of its body.
    read_timeout: Seconds = 15.0
    #: Seconds an HTTP connection may be kept open between requests.
    idle_timeout: Seconds = 75.0
    #: The largest message at any door, bytes.
    max_message: Annotated[int, NUMBER, Field(ge=1024, le=64 * 1024 * 1024)] = LARGEST_MESSAGE
    #: How deep lists and objects of a message may be nested.
    max_nesting: Annotated[int, NUMBER, Field(ge=4, le=500)] = 64
    #: Listeners of /events at the same time.
    max_subscriptions: Count = 1000
    #: Whether GET /metrics is served.
    enable_metrics: bool = True
    #: A port of its own for GET /metrics alone, without a token, on the loopback address; none unless it is named.
    metrics_port: Port | None = None

    @model_validator(mode="after")
    def _two_ports(self) -> Self:
        if self.http_port == self.ws_port:
            raise ValueError(f"http_port and ws_port are both {self.http_port}: they must differ")
        return self


class Discovery(Section):
    """Where workspaces are looked for."""

    #: Directories to search; `~` is the user's.
    search_paths: list[SomePath] = ["~/projects", "~/.descartes"]
    #: How deep; a search path itself is depth 0.
    max_depth: Annotated[int, NUMBER, Field(ge=0, le=100)] = 3


class Agents(Section):
    """What agents are like where a caller does not say."""

    #: The command line of `spawn` without one; empty: the caller's shell.
    command: list[Argument] = []
    #: Seconds between the stop signal and KILL.
    grace: Annotated[float, NUMBER, Field(ge=0, le=3600, allow_inf_nan=False), _HARMLESS] = 10.0
    #: Living agents of one session.
    max_agents: Count = 1000
    #: Lines of a terminal whose size the caller does not say.
    rows: Annotated[Cells, _HARMLESS] = 24
    #: Its columns.
    cols: Annotated[Cells, _HARMLESS] = 80
    #: Words of a command line.
    max_arguments: Count = 10_000
    #: Characters of a name.
    max_name: Annotated[int, NUMBER, Field(ge=1, le=1000)] = 100
    #: Bytes of an environment, names and values.
    max_environment: Annotated[int, NUMBER, Field(ge=1024, le=64 * 1024 * 1024)] = 2 * 1024 * 1024
    #: No agent is started while fewer descriptors than this are free.
    spare_descriptors: Annotated[int, NUMBER, Field(ge=0, le=1_000_000)] = 64
    #: Whether each agent gets a control group of its own (cgroup v2), where that may be made: auto, off.
    cgroups: Literal["auto", "off"] = "auto"


class Output(Section):
    """How much of what agents say is kept; the oldest is dropped first, and that is told."""

    #: Bytes kept of one agent (of each stream); 0: all.
    agent_cap: Bytes = 4 * 1024**3
    #: Bytes kept of all agents of a session; 0: all.
    session_cap: Bytes = 32 * 1024**3
    #: What an agent does when the disk is full: wait, or go on with a recorded gap.
    on_full_disk: Literal["wait", "drop"] = "wait"
    #: Bytes between two checkpoints of a screen, once somebody looks at it.
    checkpoint_every: Annotated[int, NUMBER, Field(ge=65_536, le=1024**3)] = 4 * 1024 * 1024
    #: Days after an agent's end from which on what it said is kept compressed; it is read as before.
    compress_after_days: Days = 7.0


class Retention(Section):
    """What is kept, and for how long."""

    #: `descartes gc` removes the output of agents that ended this many days ago …
    output_days: Days = 30.0
    #: … and events older than this many days.
    event_days: Days = 90.0
    #: The newest events of a session that are kept; older ones go by themselves, a tenth at a time; 0: all are kept.
    event_count: Annotated[int, NUMBER, Field(ge=0, le=10**12)] = 0


class Terminals(Section):
    """Terminals over WebSocket, and attached ones."""

    #: Watchers of one agent at the same time.
    max_watchers: Count = 100
    #: Seconds between two pings of a WebSocket.
    ping_every: Seconds = 20.0
    #: Seconds after which a WebSocket terminal that nobody types into and that shows nothing is closed; 0: never.
    idle_timeout: Annotated[Seconds, _HARMLESS] = 0.0
    #: Whether what people type into agents is kept, passwords too; else only who typed, when and how much.
    keep_input: bool = False


class Supervisor(Section):
    """How daemons are started, restarted and ended."""

    #: A daemon that had been ready this many seconds is started again at once.
    stable: Seconds = _RULE.stable
    #: Seconds of pause after an early death; it doubles each time …
    first_pause: Seconds = _RULE.first_pause
    #: … up to this.
    longest_pause: Seconds = _RULE.longest_pause
    #: So many early deaths in a row are enough.
    early_deaths: Count = _RULE.early_deaths
    #: So are so many deaths of any kind …
    deaths: Count = _RULE.deaths
    #: … within this many seconds.
    window: Seconds = _RULE.window
    #: Seconds until a starting daemon must be ready.
    ready_deadline: Seconds = 30.0
    #: Seconds for new code to show that it can take the supervisor's place, and as many for what is under way to end.
    renewal_deadline: Seconds = 15.0
    #: Seconds for a silent daemon to answer the supervisor, or it is killed and started again; 0: it never is.
    hang_deadline: Seconds = 5.0
    #: Seconds after which a supervisor that keeps nothing ends.
    linger: Seconds = 10.0
    #: Seconds between TERM and KILL for a daemon.
    stop_grace: Seconds = 10.0
    #: The first port tried for HTTP …
    http_base: BasePort = 19_280
    #: … and for WebSocket.
    ws_base: BasePort = 19_380

    @property
    def rule(self) -> RestartRule:
        """The numbers of the restart rule."""
        return RestartRule(
            stable=self.stable,
            first_pause=self.first_pause,
            longest_pause=self.longest_pause,
            early_deaths=self.early_deaths,
            deaths=self.deaths,
            window=self.window,
        )


class Hub(Section):
    """The bus between machines; only `descartes hub` reads it."""

    #: Where it listens: tcp://ADDRESS:PORT or ipc://PATH; always with CURVE, so only enrolled keys come in.
    endpoint: Annotated[str, StringConstraints(pattern=r"^(tcp|ipc)://[^\x00\s]+$", max_length=500)] = (
        "tcp://0.0.0.0:5555"
    )
    #: What it calls itself; empty: the machine's name.
    server_id: Annotated[str, StringConstraints(max_length=100)] = ""
    #: The most agents of a runner that does not say itself how many it takes.
    max_agents: Count = 100
    #: Seconds between two status updates of a living agent.
    status_update_interval_secs: Annotated[float, NUMBER, Field(ge=0.1, le=86_400, allow_inf_nan=False)] = 10.0
    #: Whether runners send status updates at all between changes.
    enable_status_updates: bool = True
    #: Seconds between two heartbeats of a peer, and of the hub's answer …
    heartbeat_secs: Annotated[float, NUMBER, Field(ge=0.05, le=3600, allow_inf_nan=False)] = 2.0
    #: … and how many may be missed before it is lost.
    misses: Annotated[int, NUMBER, Field(ge=1, le=100)] = 3


class Log(Section):
    """What is written to daemon.log."""

    #: From where on.
    level: Literal["debug", "info", "warning", "error"] = "info"
    #: text for people, json (one object a line) for programs.
    format: Literal["text", "json"] = "text"
    #: Bytes after which daemon.log is moved to daemon.log.1, and a new one begun.
    max_bytes: Annotated[int, NUMBER, Field(ge=65_536, le=1024**4)] = 10 * 1024 * 1024
    #: How many old ones are kept.
    keep: Annotated[int, NUMBER, Field(ge=0, le=100)] = 3


class Redaction(Section):
    """What is hidden in what leaves a session, and in what can be searched: secrets become `***`."""

    #: Whether anything is.
    enabled: bool = True
    #: What is hidden besides tokens and passwords: regular expressions (RE2); of one with groups only what they hold.
    patterns: list[SomePattern] = []
    #: Environment variables whose values are hidden besides those whose names tell (`…_TOKEN`, `…_KEY`, `…_PASSWORD`).
    variables: list[Argument] = []

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if self.patterns:
            # Only who has patterns pays for RE2.
            compiled = import_module("descartes_core.expressions").compiled
            for pattern in self.patterns:
                compiled(pattern)
        return self


class Hooks(Section):
    """Web addresses and commands that are told of events (`descartes hooks`)."""

    #: Hooks of one session.
    max_hooks: Count = 50
    #: Tries of one event before it becomes a dead letter.
    tries: Annotated[int, NUMBER, Field(ge=1, le=1000)] = 12
    #: Seconds of pause after the first failed try; it doubles each time …
    first_pause: Annotated[float, NUMBER, Field(ge=0.01, le=86_400, allow_inf_nan=False)] = 1.0
    #: … up to this.
    longest_pause: Annotated[float, NUMBER, Field(ge=0.01, le=86_400, allow_inf_nan=False)] = 300.0
    #: Seconds a web address has to take an event.
    timeout: Annotated[float, NUMBER, Field(ge=0.1, le=300, allow_inf_nan=False)] = 10.0
    #: Seconds a command may run for one event.
    command_timeout: Annotated[float, NUMBER, Field(ge=0.1, le=3600, allow_inf_nan=False)] = 30.0
    #: Deliveries of one daemon at the same time: of commands as many again.
    at_once: Annotated[int, NUMBER, Field(ge=1, le=64)] = 4
    #: Dead letters that are kept of each hook.
    keep_dead: Count = 1000


class Tasks(Section):
    """The tasks of a workspace."""

    #: Whether the start of an agent for a task makes the task in-progress, in SCUD's own file, too.
    write_back: bool = False
