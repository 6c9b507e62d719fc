"""Messages about agents: start them, list them, end them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from descartes_core.messages.common import (
    LONGEST_WAIT,
    AgentName,
    Argument,
    Change,
    ChangeAgent,
    Grace,
    Model,
    Rows,
    Uuid,
    Wait,
)


class AgentLimits(Model):
    """What an agent and all that it starts may take together; null: without a limit. Over one of them it is ended."""

    #: Bytes.
    memory: Annotated[int, Field(ge=1024 * 1024, le=1 << 60)] | None = None
    #: Processors it may keep busy, e.g. 1.5.
    cpus: Annotated[float, Field(ge=0.01, le=10_000)] | None = None
    #: Processes and threads.
    pids: Annotated[int, Field(ge=1, le=4_194_304)] | None = None
    #: Seconds from the start of its program, however it spends them.
    timeout: Annotated[float, Field(gt=0, le=315_360_000)] | None = None


Source = Literal["cgroup", "rusage", "proc"]


class AgentUsage(Model):
    """What an agent's tree has taken. Null: nobody could count it, or it has ended and takes nothing any more."""

    #: Processor time, of all processors together.
    cpu_seconds: float | None
    #: Now. By `proc`: resident, so that what processes share is counted in each of them.
    memory_bytes: int | None
    #: The most there was. By `proc`: of those that were there when somebody looked; by `rusage`: of the largest single
    #: process, null when that was smaller than the daemon.
    memory_peak_bytes: int | None
    #: Now.
    processes: int | None
    #: From storage and to storage: what was in the cache already is not read, and pipes, terminals and sockets are
    #: not storage.
    read_bytes: int | None
    written_bytes: int | None
    #: Who counted each: the kernel for its control group (`cgroup`), where nothing is missed; the sum over what is in
    #: /proc (`proc`); or the kernel for its own process once that had ended (`rusage`). These two miss who ended
    #: without being waited for.
    cpu_source: Source | None
    memory_source: Source | None
    io_source: Source | None


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
    #: All it has said, of both streams where it has no terminal.
    output_bytes: int
    #: Whether it has a terminal; without one its stdout and stderr are two streams.
    tty: bool
    #: What a person should know: "disk full", "no terminal: …"; else null.
    notice: str | None
    #: Null: none was asked for.
    limits: AgentLimits | None
    #: Who holds it within memory, cpus and pids: the kernel (cgroup), the daemon, which looks, or both.
    limited_by: Literal["cgroup", "daemon", "both"] | None
    #: Which limit ended it, e.g. "limit: memory 2.1G > 2G"; else null.
    ended_by: str | None
    #: Another session's daemon for which it runs here, by its name on the bus; null: it is this session's own.
    owner: str | None
    #: The task it was started for, as "phase:id"; null: none.
    task: str | None
    #: What it has taken; only in `agent.get` and where a list was asked for it, null while its program does not run.
    usage: AgentUsage | None = None


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
    #: The file of its stderr; null where it has a terminal, which is one stream.
    errors_path: str | None
    #: Offsets before this were dropped (caps, `gc`); for stdout or the terminal, and for stderr.
    output_from: int
    errors_from: int
    #: How the output is taken: splice, copy, file (without a terminal its program writes itself),
    #: bus (its runner sends it), or none any more.
    recording: str


class Unattributed(Model):
    """A process that some agent left behind, without any mark of whose it is."""

    pid: int
    session_id: str
    command: str


class Spawn(Change):
    """Start a program, in a terminal of its own or (tty false) with two log files, in the caller's surroundings."""

    #: A UUID made by the caller; a second spawn with the same id is refused.
    agent_id: Uuid | None = None
    #: Default: the program's name and the beginning of the id.
    name: Annotated[str, StringConstraints(max_length=1000)] | None = None
    #: Default: the configured command, else SHELL of `env`.
    command: Annotated[list[Argument], Field(max_length=100_000)] = []
    #: Default: the workspace.
    cwd: Argument | None = None
    #: The whole environment; default: a bare one (PATH, HOME, USER, SHELL, LANG of the user).
    env: dict[Argument, Argument] | None = None
    #: Additions to `env`.
    extra_env: dict[Argument, Argument] = {}
    #: As a number: 18 is 0o022.
    umask: Annotated[int, Field(ge=0, le=0o777)] = 0o022
    #: Whether it gets a terminal; else its stdin is a pipe, and it writes stdout and stderr into files itself.
    tty: bool = True
    #: Size of its terminal; default from the configuration (24 and 80).
    rows: Rows | None = None
    cols: Rows | None = None
    #: Seconds between the stop signal and KILL; default from the configuration (10).
    grace: Grace | None = None
    #: Default: HUP for shells, TERM for all else.
    stop_signal: Annotated[str, StringConstraints(max_length=20)] | None = None
    #: Whether what the program leaves behind may live on after its end.
    leave: bool = False
    #: What it may take; default: as much as there is.
    limits: AgentLimits | None = None
    #: Run it on another machine: the name of a runner, labels it must have (`gpu,linux`), or `any`; default: here. It
    #: then begins in a directory of its own, or in `cwd` as it is there, with `extra_env` only.
    on: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = None
    #: Where no runner has room for it now: wait for one, as long as `within` says (300 s where it says nothing).
    queue: bool = False
    #: Seconds; what does not run by then will not run later either.
    within: Annotated[float, Field(gt=0, le=86_400)] | None = None
    #: The task it works on, as `task.get` finds it: it has it as DESCARTES_TASK_ID, and lists and events tell it.
    task: Annotated[str, StringConstraints(min_length=1, max_length=250)] | None = None


class AgentReply(Model):
    """One agent."""

    agent: AgentInfo


class ListAgents(Model):
    """List the agents of this session."""

    #: Ended ones too.
    all: bool = False
    #: With what each has taken; that is looked up now.
    usage: bool = False


class AgentList(Model):
    """Agents, oldest first."""

    agents: list[AgentInfo]
    unattributed: list[Unattributed]


class DetailReply(Model):
    """One agent with everything that is known of it."""

    agent: AgentDetail


class Signal(Change):
    """Send one signal to an agent's own process."""

    agent_id: AgentName
    #: A name with or without SIG, e.g. INT.
    signal: Annotated[str, StringConstraints(max_length=20)]


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


class Batch(Change):
    """Do the same to many agents, one after the other's answer not waited for; each has a result of its own."""

    agent_ids: Annotated[list[AgentName], Field(min_length=1, max_length=1000)]
    command: Literal["pause", "resume", "stop", "kill", "signal"]
    #: Only with `signal`: a name with or without SIG, e.g. INT.
    signal: Annotated[str, StringConstraints(max_length=20)] | None = None
    #: Only with `stop`: instead of each agent's own.
    grace: Grace | None = None
    #: Begin the next one only when the one before has worked, and none after a failure.
    fail_fast: bool = False


class BatchResult(Model):
    """What came of it for one agent."""

    #: As it was named in the request.
    agent_id: str
    success: bool
    #: The state it is in now; null where there is no such agent, or it was not tried.
    status: str | None
    #: The error's code and sentence; null where it worked.
    code: str | None
    error: str | None


class BatchReply(Model):
    """What came of it, in the order asked."""

    results: list[BatchResult]
    #: Whether it worked for all.
    success: bool
    successful: int
    failed: int


class ReadAudit(Model):
    """Tell who typed into an agent, when and how much; never what."""

    agent_id: AgentName
    #: The newest so many.
    limit: Annotated[int, Field(ge=1, le=10_000)] = 1000


class Typed(Model):
    """Something was typed."""

    at: str
    #: Where it came from, e.g. "pid 4711", "http 127.0.0.1:50122", "ws 127.0.0.1:50124".
    client: str
    #: Bytes.
    length: int


class Audit(Model):
    """Who typed, oldest first."""

    inputs: list[Typed]
    #: All that was ever typed: how often, and how many bytes.
    count: int
    bytes: int
