"""What every session of the supervisor stands on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from descartes_core.ids import HUB_ID
from descartes_local.home import Home
from descartes_local.processes import Process
from descartes_orchestrator.supervisor.forks import Forks
from descartes_orchestrator.supervisor.loop import Loop
from descartes_orchestrator.supervisor.numbers import Numbers
from descartes_orchestrator.supervisor.ports import Pair
from descartes_orchestrator.supervisor.scribe import Scribe
from descartes_orchestrator.supervisor.start import python


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller asked to be started: a session's daemon, or the hub."""

    id: str
    name: str
    path: str
    #: The pair the session had last.
    ports: Pair | None = None
    config: str | None = None
    #: The caller's settings, which reach the daemon.
    environment: Mapping[str, str] | None = None

    @property
    def is_session(self) -> bool:
        """Whether it is a session's daemon, with a pair of ports; the hub is none, and binds its own."""
        return self.id != HUB_ID


Command = Callable[[Wanted, Pair | None], Sequence[str]]


@dataclass(frozen=True, slots=True)
class House:
    """The loop, the numbers, and what one session must know of the others."""

    loop: Loop
    home: Home
    numbers: Numbers
    #: How a daemon is called.
    command: Command
    #: How it is started.
    forks: Forks
    #: What writes where a disk may hang.
    scribe: Scribe
    #: What every daemon finds in its environment.
    environment: Mapping[str, str]
    #: The ports of all sessions.
    held_ports: Callable[[], set[int]]
    #: What came to us from a session's dead daemons.
    orphans: Callable[[str], set[Process]]
    #: Reap what may be reaped now.
    look: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Program:
    """How a supervisor is called, after the interpreter, and how it calls daemons."""

    arguments: Sequence[str]
    daemon: Command
    #: The command of its fork server, where it has one.
    fork_server: Sequence[str] = ()


def daemon_command(wanted: Wanted, ports: Pair | None) -> list[str]:
    """Return how a session's daemon is called, or the hub."""
    if ports is None:
        return python("descartes_orchestrator.hub")
    http, ws = ports
    command = [*python("descartes_daemon"), f"--http-port={http}", f"--ws-port={ws}"]
    # In one word: a name that begins with a dash would be taken for an option.
    command += [f"--workdir={wanted.path}", f"--session-id={wanted.id}", f"--name={wanted.name}"]
    return command + ([f"--config={wanted.config}"] if wanted.config else [])


#: The installed one.
PROGRAM = Program(
    python("descartes_orchestrator.supervisor")[1:], daemon_command, python("descartes_orchestrator.fork_server")
)
