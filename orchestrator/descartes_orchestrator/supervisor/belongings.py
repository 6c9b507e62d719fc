"""What the supervisor holds for one session: doors, keeping, its ear."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from descartes_core.kept import ALL_KEPT, HTTP, NOT_KEPT, RPC, WS
from descartes_local import cgroup2
from descartes_local.cgroup2 import Cgroup
from descartes_local.descriptors import let_go
from descartes_local.processes import Process
from descartes_local.run_file import remove_run_file
from descartes_local.tree import find_tree, kill_tree
from descartes_orchestrator.supervisor.house import House
from descartes_orchestrator.supervisor.journal import note
from descartes_orchestrator.supervisor.keeping import Keeping
from descartes_orchestrator.supervisor.notify import Notice, NotifySocket
from descartes_orchestrator.supervisor.ports import Pair, bind_pair
from descartes_orchestrator.supervisor.saving import SavedSession
from descartes_orchestrator.supervisor.sockets import Sockets, inherited_sockets, open_sockets

#: As they are written down; what has no ports has the last alone.
_DOORS = (HTTP, WS, RPC)
#: What is still told of why something is not kept.
_LONGEST_REASON = 300


class Belongings:
    """Descriptors of one session, and the trees behind them."""

    def __init__(self, house: House, session: str, on_notice: Callable[[], None]) -> None:
        self.keeping = Keeping()
        self.sockets: Sockets | None = None
        self._house, self._session, self._on_notice = house, session, on_notice
        self._ear: NotifySocket | None = None
        #: Doors that are just being handed over: none is served from here before all three have come.
        self._coming: dict[str, int] = {}
        #: Why something was not kept that its daemon gave since it asked last.
        self._refused: str | None = None
        #: The same, until something is kept again: for people.
        self.trouble: str | None = None

    def open(self, preferred: Pair | None, *, has_ports: bool = True) -> Sockets:
        """Open the doors and the ear, where they are not open, and return the doors.

        Raises:
            PortsTaken: no pair of ports is free.
            OSError: a socket cannot be made.

        """
        house = self._house
        self.listen()
        self._forget_coming()
        if self.sockets is None:
            held = house.held_ports()
            pair = bind_pair(preferred, bases=house.numbers.bases, held=held) if has_ports else None
            self.sockets = open_sockets(pair, house.home.daemon_socket(self._session))
        return self.sockets

    def listen(self) -> None:
        """Open the ear, where it is not open: a daemon can be heard.

        Raises:
            OSError: it cannot be bound.

        """
        self._refused = None  # that was told to one that is dead
        if self._ear is None:
            self._ear = NotifySocket(self._house.home.notify_socket(self._session))
            self._house.loop.watch(self._ear.fileno(), self._on_notice)

    def saved(self) -> dict[str, Any]:
        """Return what is held, for whoever takes our place: these fields of a saved session."""
        doors = tuple(number for _, number in self.sockets.descriptors()) if self.sockets else None
        ear = self._ear.fileno() if self._ear else None
        return {"doors": doors, "ear": ear, "kept": self.keeping.saved(), "refused": self._refused}

    def restore(self, saved: SavedSession) -> None:
        """Go on with what was held before.

        Raises:
            OSError: it is not there.

        """
        home = self._house.home
        if saved.doors is not None:
            doors = dict(zip(_DOORS[-len(saved.doors) :], saved.doors, strict=True))
            self.sockets = inherited_sockets(doors, home.daemon_socket(self._session))
        if saved.ear is not None:
            self._ear = NotifySocket(home.notify_socket(self._session), saved.ear)
            self._house.loop.watch(saved.ear, self._on_notice)
        self.keeping.restore(saved.kept)
        self._refused = self.trouble = saved.refused

    def descriptors(self) -> list[tuple[str, int]]:
        """Return all that the next daemon gets: the doors, then what is kept."""
        return [*(self.sockets.descriptors() if self.sockets else []), *self.keeping.descriptors()]

    def hear(self, daemon: int | None) -> list[dict[str, str]]:
        """Do what the daemon said about keeping, and return what else it said."""
        if self._ear is None:
            return []
        return [notice.fields for notice in self._ear.receive(daemon) if not self._keeps(notice)]

    def end_rest(self) -> set[Process]:
        """Kill what the session's agents left, in keeping, here as orphans, or marked; return what was killed."""
        roots = self.keeping.leaders | self._house.orphans(self._session)
        mark = ("DESCARTES_SESSION_ID", self._session)
        own = cgroup2.own()
        members = tuple if own is None else Cgroup(cgroup2.base_of(own).path / self._session).pids
        killed = kill_tree(lambda: find_tree(roots, mark, members))
        if killed:
            note(f"session {self._session}: killed {', '.join(str(process.pid) for process in sorted(killed))}")
        return killed

    def shut(self) -> None:
        """Close the doors and the ear, and remove their files and the run file: clients are refused."""
        self._forget_coming()
        if self.sockets is not None:
            self.sockets.close()
            self.sockets = None
        if self._ear is not None:
            with contextlib.suppress(OSError):  # a daemon's that died before it had handed it over
                self._house.home.daemon_socket(self._session).unlink()
        self.deafen()
        remove_run_file(self._house.home, self._session)

    def give_back(self) -> None:
        """Close everything and remove nothing: who gave it has it still, and will give it again."""
        self._forget_coming()
        if self.sockets is not None:
            self.sockets.let_go()
            self.sockets = None
        self.deafen()
        self.keeping.clear()

    def deafen(self) -> None:
        """Close the ear: there is no daemon to be heard."""
        if self._ear is not None:
            self._house.loop.unwatch(self._ear.fileno())
            self._ear.close()
            self._ear = None

    def _keeps(self, notice: Notice) -> bool:
        name = notice.fields.get("FDNAME", "")
        if notice.fields.get("FDSTOREREMOVE") == "1":
            notice.close()
            self.keeping.remove(name)
            # An agent that ended may be reaped now that nobody will ask how; after all notices, one look is enough.
            self._house.loop.later(0.0, self._house.look)
        elif notice.fields.get("FDSTORE") == "1":
            self._add(name, notice)
        elif notice.fields.get("BARRIER") == "1":
            self._answer(notice)
        else:
            notice.close()
            return False
        return True

    def _add(self, name: str, notice: Notice) -> None:
        add = self._add_door if name in _DOORS else self.keeping.add
        reasons = [add(name, descriptor) for descriptor in notice.descriptors]
        if not notice.is_whole:
            reasons.append("the supervisor had no descriptor free, and the kernel closed it: raise ulimit -Hn")
        elif not reasons:
            reasons.append("no descriptor came along")
        self._refused = next(filter(None, [self._refused, *reasons]), None)
        if self._refused is None:
            self.trouble = None

    def _add_door(self, name: str, descriptor: int) -> str | None:
        """Take a listening socket of a daemon that had it from a supervisor before us; return why not, if so."""
        if self.sockets is not None:
            let_go([descriptor])
            return f"{name} of this session is held here already"
        if name in self._coming:
            let_go([self._coming[name]])
        self._coming[name] = descriptor
        if len(self._coming) < len(_DOORS):
            return None
        path = self._house.home.daemon_socket(self._session)
        try:
            self.sockets = inherited_sockets({name: self._coming[name] for name in _DOORS}, path)
        except OSError as error:
            self._forget_coming()
            return f"http, ws and rpc are no doors: {error.strerror}"
        self._coming.clear()
        return None

    def _forget_coming(self) -> None:
        let_go(self._coming.values())
        self._coming.clear()

    def _answer(self, barrier: Notice) -> None:
        """Say that all before is kept, or why something is not."""
        refused, self._refused = self._refused, None
        if refused is None:
            barrier.answer(ALL_KEPT)
            return
        barrier.answer(f"{NOT_KEPT}{refused[:_LONGEST_REASON]}")
        if self.trouble is None:  # once: who tries on does not fill the log
            note(f"session {self._session}: something is not kept: {refused}")
        self.trouble = refused
