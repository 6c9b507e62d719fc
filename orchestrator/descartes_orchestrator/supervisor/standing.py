"""What is known of a session and held for it, and what follows of that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from descartes_core.errors import DescartesError
from descartes_core.restart import Deaths
from descartes_core.session_life import State
from descartes_local.processes import Process
from descartes_orchestrator.supervisor.belongings import Belongings
from descartes_orchestrator.supervisor.callers import Callers
from descartes_orchestrator.supervisor.daemon import Daemon
from descartes_orchestrator.supervisor.house import House, Wanted
from descartes_orchestrator.supervisor.questioning import Questioning
from descartes_orchestrator.supervisor.replacing import Replacing
from descartes_orchestrator.supervisor.rest import Rest


class Standing:
    """The facts; what changes them is the session's life."""

    def __init__(
        self,
        wanted: Wanted,
        house: House,
        on_notice: Callable[[], None],
        on_rest_over: Callable[[], None],
        on_hang: Callable[[], None],
    ) -> None:
        self.wanted, self.state = wanted, State.INACTIVE
        self.restarts = 0
        self.failure: DescartesError | None = None
        self.daemon: Daemon | None = None
        self.belongings = Belongings(house, wanted.id, on_notice)
        self.deaths = Deaths(house.numbers.rule)
        self.was_ready = False
        #: Everything is let go, living agents too.
        self.lets_go = False
        self.replacing = Replacing(house.forks)
        self.questioning = Questioning(house, wanted.id, on_hang)
        #: The daemon was killed and is still there.
        self.is_stuck = False
        self.callers = Callers()
        self.rest = Rest(house, self.belongings, on_rest_over)
        #: The state that is just being written into session.json.
        self.writing: State | None = None

    @property
    def id(self) -> str:
        """The session's id."""
        return self.wanted.id

    @property
    def daemon_pid(self) -> int | None:
        """The daemon's pid while it has not been reaped."""
        return self.daemon.pid if self.daemon else None

    @property
    def leaders(self) -> set[Process]:
        """The agents' processes that are in keeping."""
        return self.belongings.keeping.leaders

    @property
    def is_served(self) -> bool:
        """Whether a daemon serves it, and its doors are held here."""
        return self.state is State.ACTIVE and self.belongings.sockets is not None

    @property
    def is_leaving(self) -> bool:
        """Whether the daemon is there, and has said that it is about to end."""
        return self.daemon is not None and self.daemon.is_leaving

    @property
    def is_held_alone(self) -> bool:
        """Whether agents are kept here that no daemon has, or only one that is not there for sure in a moment."""
        is_asked = self.replacing.is_asked or not self.questioning.is_over
        is_there = self.state is State.ACTIVE and self.daemon is not None
        goes_on = is_there and not (is_asked or self.is_leaving or self.is_stuck)
        return bool(self.belongings.keeping.agents) and not goes_on

    @property
    def is_free(self) -> bool:
        """Whether a daemon may begin here: none is there, also none that was killed and is not gone yet."""
        return self.state in (State.INACTIVE, State.ERROR) and self.daemon is None and self._is_over

    @property
    def _is_over(self) -> bool:
        return self.rest.is_over and self.writing is None

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing is held, done or waited for."""
        return self.is_free and not len(self.belongings.keeping) and not self.callers

    @property
    def is_settled(self) -> bool:
        """Whether nothing is under way: all there is to know is in fields that can be written down."""
        is_asked = self.replacing.is_asked or not self.questioning.is_over
        is_still = (self.is_served and not is_asked) or self.daemon is None or self.is_stuck
        is_over = self._is_over and not self.callers
        return self.state not in (State.STARTING, State.STOPPING) and is_still and is_over

    @property
    def whereabouts(self) -> dict[str, Any]:
        """Where the daemon is, for who waited for its start."""
        assert self.belongings.sockets is not None
        why = self.replacing.fell_back
        told = {} if why is None else {"fell_back": why}
        return {"id": self.id, "pid": self.daemon_pid, **self.belongings.sockets.endpoints, **told}
