"""All sessions the supervisor holds something for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from descartes_core.errors import Conflict, Unavailable
from descartes_core.session_life import State
from descartes_local.home import Home
from descartes_local.processes import Process
from descartes_orchestrator.supervisor.connections import Answer
from descartes_orchestrator.supervisor.daemon import Daemon
from descartes_orchestrator.supervisor.exits import Exits
from descartes_orchestrator.supervisor.forks import Forks
from descartes_orchestrator.supervisor.house import House, Program, Wanted
from descartes_orchestrator.supervisor.loop import Loop
from descartes_orchestrator.supervisor.memory import restored_session, saved_session
from descartes_orchestrator.supervisor.numbers import Numbers
from descartes_orchestrator.supervisor.reaping import Reaper
from descartes_orchestrator.supervisor.rows import rows
from descartes_orchestrator.supervisor.saving import SavedSession
from descartes_orchestrator.supervisor.scribe import Scribe
from descartes_orchestrator.supervisor.session import Session
from descartes_orchestrator.supervisor.vacancy import refuse_a_twin, refuse_the_same_name, served_by_another


class Sessions:
    """Each by its id; those of which nothing is left are forgotten."""

    def __init__(
        self,
        loop: Loop,
        home: Home,
        numbers: Numbers,
        *,
        program: Program,
        environment: Mapping[str, str],
        own: Callable[[], set[int]],
    ) -> None:
        self._home = home
        self._sessions: dict[str, Session] = {}
        told = {**environment, "DESCARTES_SUPERVISOR": str(home.supervisor_socket)}
        self.forks = Forks(
            loop, numbers.rule, program.fork_server, told, home.log / "supervisor.log", lambda: self.have_daemons
        )
        self.exits = Exits(home.run / "exits")
        scribe = Scribe(loop)
        self.reaper = Reaper(self.all, lambda: self.forks.pids | scribe.pids | own(), self.exits)
        self._house = House(
            loop=loop,
            home=home,
            numbers=numbers,
            command=program.daemon,
            forks=self.forks,
            scribe=scribe,
            environment=environment,
            held_ports=self.held_ports,
            orphans=self.reaper.orphans,
            look=self.reaper.look,
        )

    def all(self) -> Iterable[Session]:
        """Return them."""
        return list(self._sessions.values())

    def start(self, wanted: Wanted, answer: Answer) -> None:
        """Start a session's daemon, or say where it is.

        Raises:
            Conflict: another session has the same run file and sockets.
            Unavailable: its daemon lives, and has not told us of itself yet.

        """
        session = self._sessions.get(wanted.id)
        if session is None or session.daemon is None:
            where = served_by_another(self._home, wanted.id)
            if where is not None:
                answer.give(where)
                return
        if session is None:
            refuse_the_same_name(wanted, self._sessions)
            refuse_a_twin(self._home, wanted)
            session = self._sessions[wanted.id] = Session(wanted, self._house)
        session.ask_start(wanted, answer)

    def take_over(self, wanted: Wanted, daemon: Daemon) -> None:
        """Go on with a daemon that another supervisor started.

        Raises:
            Conflict: another daemon of this session is known, or another session has the same sockets.
            Unavailable: it has ended, or cannot be heard.

        """
        session = self._sessions.get(wanted.id)
        if session is None:
            refuse_the_same_name(wanted, self._sessions)
            session = Session(wanted, self._house)
        try:
            session.take_over(wanted, daemon)
        except (OSError, Unavailable) as error:
            session.belongings.deafen()
            raise Unavailable(f"daemon {daemon.pid} cannot be taken over: {error}") from error
        self._sessions[wanted.id] = session

    def taken_over(self, identity: str) -> bool:
        """Hear that a session's daemon has given all it has; say whether all doors are among it."""
        session = self._sessions.get(identity)
        if session is None or not session.is_served:
            return False
        session.taken_over()
        return True

    def has_all_of(self, identity: str) -> bool:
        """Say whether nothing is missing that a session's daemon had from a supervisor before us."""
        session = self._sessions.get(identity)
        daemon = session.daemon if session else None
        return daemon is not None and (daemon.started is None or daemon.has_given)

    def daemon_of(self, identity: str) -> int | None:
        """Return the pid of a session's daemon, None where none runs here."""
        session = self._sessions.get(identity)
        return session.daemon_pid if session else None

    def has_daemon(self, identity: str) -> bool:
        """Say whether a daemon of this session runs here."""
        session = self._sessions.get(identity)
        return session is not None and session.daemon is not None

    def stop(self, identity: str, grace: float | None, answer: Answer) -> None:
        """Stop a session; one that is not known here is stopped already."""
        session = self._sessions.get(identity)
        if session is None:
            answer.give({})
        else:
            session.ask_stop(grace, answer)

    def restart(self, identity: str, answer: Answer) -> None:
        """Let a session's daemon give way to the next one.

        Raises:
            Conflict: none runs here.

        """
        session = self._sessions.get(identity)
        if session is None:
            raise Conflict(f"no daemon of session {identity} runs here")
        session.ask_restart(answer)

    def suspect(self, identity: str, answer: Answer) -> None:
        """Find out whether a session's daemon hangs."""
        session = self._sessions.get(identity)
        if session is None:
            answer.give({"verdict": "unknown"})
        else:
            session.suspect(answer)

    def rename(self, identity: str, name: str) -> None:
        """Call a session by another name from now on; one that is not known here has none here."""
        session = self._sessions.get(identity)
        if session is not None:
            session.wanted = replace(session.wanted, name=name)

    def saved(self) -> tuple[SavedSession, ...]:
        """Return all that is known of them, for the supervisor that takes our place; all must be settled."""
        return tuple(saved_session(session) for session in self.all())

    def restore(self, saved: Iterable[SavedSession]) -> None:
        """Go on with sessions that were another's.

        Raises:
            ValueError: one cannot be understood.
            TypeError: something is missing of one.
            OSError: something of one is not there.

        """
        for session in (restored_session(each, self._house) for each in saved):
            self._sessions[session.id] = session

    def unsettled(self) -> str | None:
        """Say which session something is under way for, and what; None where there is none."""
        return next((f"{one.wanted.name} is {one.state}" for one in self.all() if not one.is_settled), None)

    def leaving(self) -> str | None:
        """Say whose daemon is just ending; None where none is."""
        return next((f"the daemon of {one.wanted.name} is ending" for one in self.all() if one.is_leaving), None)

    def held_alone(self) -> str | None:
        """Say whose agents nobody has but us, so that they would hang up with us; None where there are none."""
        held = sorted(one.wanted.name for one in self.all() if one.is_held_alone)
        return f"no daemon has the agents of {', '.join(held)}: start or stop what is named" if held else None

    def orphans(self, identity: str) -> set[Process]:
        """Return what came to us from a session's dead daemons."""
        self.reaper.look()
        return self.reaper.orphans(identity)

    def held_ports(self) -> set[int]:
        """Return the ports of all sessions."""
        held = [session.belongings.sockets for session in self.all()]
        return {port for sockets in held if sockets is not None for port in sockets.ports or ()}

    def forget(self) -> None:
        """Forget the sessions that are inactive and of which nothing is held."""
        for session in self.all():
            if session.is_at_rest and session.state is State.INACTIVE:
                del self._sessions[session.id]

    @property
    def are_at_rest(self) -> bool:
        """Whether nothing is held, done or waited for."""
        return all(session.is_at_rest for session in self.all())

    @property
    def have_daemons(self) -> bool:
        """Whether any daemon runs."""
        return any(session.daemon is not None for session in self.all())

    def listed(self) -> list[dict[str, Any]]:
        """Return what `list` tells of sessions, by name."""
        return rows(self._home, (session for session in self.all() if session.wanted.is_session))

    def services(self) -> list[dict[str, Any]]:
        """Return what `list` tells of what is kept and is no session: the hub."""
        return rows(self._home, (session for session in self.all() if not session.wanted.is_session))
