"""Notice that the supervisor is gone, and hand everything over to the next one.

One idle connection tells of its end. The daemon goes on serving meanwhile; what is in its own hands only is known as
such (`Agent.is_in_keeping`) until the next supervisor has it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import time
from collections.abc import Callable
from typing import Any

from descartes_core import VERSION, kept
from descartes_core.errors import DescartesError, SupervisorUnreachable, Unavailable
from descartes_daemon.agent import Agent
from descartes_daemon.assembly import Daemon
from descartes_daemon.coming import told_within
from descartes_daemon.sockets import Listening
from descartes_local import supervisor_client
from descartes_local.probe import reached
from descartes_local.processes import process_of
from descartes_local.rpc_client import Connection

_log = logging.getLogger(__name__)

#: All daemons notice at once; they need not all come at once.
_SPREAD = 0.2
#: Between two tries to find or start a supervisor; it doubles.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 60.0
#: A supervisor answers from memory, and one that begins within its imports.
_PATIENCE = 5.0
#: A daemon that is asked to end waits this long for what is being handed over.
_LAST_PATIENCE = 3.0


class KeeperWatch:
    """Sees to it that somebody keeps, as long as the daemon lives."""

    def __init__(self, daemon: Daemon, listening: Listening) -> None:
        self._daemon, self._listening = daemon, listening
        self._home, self._id = daemon.setup.home, daemon.setup.record.id
        self._notice: str | None = None
        self._lost_at: float | None = None
        #: Whether somebody keeps, as far as is known.
        self.is_settled = asyncio.Event()
        self.is_settled.set()

    async def run(self) -> None:
        """Watch as long as the daemon lives, whatever goes wrong: nobody else would see to it that somebody keeps."""
        while True:
            try:
                await self._watch()
            except Exception:
                _log.exception("the watch over the supervisor failed, and begins anew")
            await asyncio.sleep(_FIRST_PAUSE)

    async def _watch(self) -> None:
        """Watch; hand over; watch again."""
        connection = await self._known_again()
        while True:
            if connection is None:
                self._lose()
                await asyncio.sleep(random.uniform(0.0, _SPREAD))  # noqa: S311 - no secret
                connection = await self._insist()
            try:
                await self._until_closed(connection)
            finally:
                connection.close()
            self.is_settled.clear()
            connection = await self._known_again()
            if connection is not None:
                self.is_settled.set()

    async def _until_closed(self, connection: Connection) -> None:
        """Wait until the other side has gone; what it says is nothing to us."""
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        connection.socket.setblocking(False)
        loop.add_reader(connection.socket, _listener(connection, over.set))
        giving = self._daemon.background.start(self._give_again(), "give again")
        try:
            await over.wait()
        finally:
            giving.cancel()
            loop.remove_reader(connection.socket)

    async def _give_again(self) -> None:
        """Give what a supervisor did not take that stood still: it is slow, or was stopped for a while."""
        keeping, pause = self._daemon.keeping, _FIRST_PAUSE
        while True:
            await keeping.was_silent.wait()
            keeping.was_silent.clear()
            await asyncio.sleep(pause * random.uniform(0.75, 1.25))  # noqa: S311 - no secret
            for agent in list(self._daemon.agents.present.values()):
                if agent.is_alive and not agent.is_kept and not keeping.was_silent.is_set():
                    await self._give(agent)
            pause = min(2 * pause, _LONGEST_PAUSE) if keeping.was_silent.is_set() else _FIRST_PAUSE

    async def settle(self) -> None:
        """Wait a moment for what is being handed over: a daemon that ends leaves to a keeper what is kept."""
        if any(agent.is_kept for agent in self._daemon.agents.living) and not await self._daemon.keeping.answers():
            self.is_settled.clear()  # it has just died: that will be noticed
        try:
            async with asyncio.timeout(_LAST_PATIENCE):
                await self.is_settled.wait()
        except TimeoutError:
            _log.warning("no supervisor keeps what this daemon has")

    async def _known_again(self) -> Connection | None:
        """Return a connection to the supervisor that knows this daemon, if it is only this connection that ended."""
        try:
            connection = await asyncio.to_thread(supervisor_client.connect, self._home, patience=_PATIENCE)
            if connection is None or await self._is_known(connection):
                return connection
            connection.close()
        except DescartesError as error:
            _log.warning("%s", error.message)
        except OSError as error:  # no descriptor is free: as good as none
            _log.warning("the supervisor cannot be asked: %s", error)
        return None

    async def _is_known(self, connection: Connection) -> bool:
        try:
            told = await _call(connection, "serving", {"id": self._id})
        except DescartesError:
            connection.close()
            raise
        return told.get("known") is True

    def _lose(self) -> None:
        """Know that nobody keeps; agents would end with this daemon."""
        self.is_settled.clear()
        self._lost_at = time.monotonic()
        self._daemon.keeping.lose()
        for agent in self._daemon.agents.present.values():
            agent.is_in_keeping = False
        self._tell("the supervisor is gone: agents would end with this daemon until the next one keeps them")
        reached("keeper.lost")

    async def _insist(self) -> Connection:
        """Return a connection to a supervisor that has everything, however long that takes."""
        pause = _FIRST_PAUSE
        while True:
            try:
                return await self._try()
            except DescartesError as error:
                self._tell(f"no supervisor keeps what this daemon has, so agents would end with it: {error.message}")
            except Exception:  # whatever it is, the next try is later each time
                _log.exception("nothing can be handed over")
            await told_within(self._home, pause * random.uniform(0.75, 1.25))  # noqa: S311 - no secret
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _try(self) -> Connection:
        try:
            connection = await asyncio.to_thread(supervisor_client.ensure, self._home, patience=_PATIENCE)
            try:
                await self._hand_over(connection)
            except BaseException:
                connection.close()
                raise
        except OSError as error:  # no descriptor is free
            raise Unavailable(f"cannot hand over: {error}") from error
        return connection

    async def _hand_over(self, connection: Connection) -> None:
        """Tell of us, give all we have, and say that this was all.

        One that knows us already has only been silent for long; it keeps what it has, and gets what it lacks.

        Raises:
            DescartesError: it does not take us.

        """
        is_known, told = await self._is_known(connection), {}
        if not is_known:
            told = await _call(connection, "hand_over", self._facts())
            reached("keeper.begun")
        if not await self._daemon.keeping.find_again():
            raise SupervisorUnreachable("the next supervisor does not listen to its daemons")
        if not is_known:
            await self._give_doors()
        for agent in list(self._daemon.agents.present.values()):
            await self._give(agent)
        reached("keeper.given")
        if not is_known:
            await _call(connection, "handed_over", {"id": self._id})
            self._replaced(told.get("pid", 0))
        self._tell(None)
        self.is_settled.set()

    def _replaced(self, pid: int) -> None:
        seconds = 0.0 if self._lost_at is None else time.monotonic() - self._lost_at
        _log.info("supervisor %s keeps what this daemon has, after %.3f s", pid, seconds)
        self._daemon.background.start(self._store(pid, seconds), "tell of the next supervisor")

    async def _give_doors(self) -> None:
        """Give the listening sockets, without which no next daemon can be reached, and the locks."""
        listening, keeping = self._listening, self._daemon.keeping
        doors = {kept.HTTP: listening.http, kept.WS: listening.ws, kept.RPC: listening.unix}
        if not await keeping.keep({name: socket.fileno() for name, socket in doors.items()}):
            raise Unavailable("the next supervisor does not take the listening sockets")
        await keeping.try_keep(self._daemon.upkeep.locks)

    async def _give(self, agent: Agent) -> None:
        """Give all that is open for an agent; what is let go of meanwhile is taken back.

        By duplicates: while they are on their way, the numbers may become something else's.
        """
        keeping = self._daemon.keeping
        given: dict[str, int] = {}
        try:
            for part, number in agent.parts.items():
                given[kept.agent_name(agent.id, part)] = os.dup(number)
            is_kept = bool(given) and await keeping.try_keep(given)
        finally:
            for number in given.values():
                os.close(number)
        now = {kept.agent_name(agent.id, part) for part in agent.parts}
        await keeping.forget(*(given.keys() - now))
        agent.is_in_keeping = is_kept

    def _facts(self) -> dict[str, Any]:
        """Return what a supervisor must know to start the next daemon of this session."""
        setup, endpoints = self._daemon.setup, self._daemon.endpoints
        process = process_of(os.getpid())
        assert process is not None, "this process is there"
        return {
            "id": self._id,
            "name": self._daemon.upkeep.record.name,
            "path": str(setup.workspace),
            "ports": [endpoints.http_port, endpoints.ws_port],
            "config": str(setup.config_file) if setup.config_file else None,
            "env": {name: text for name, text in os.environ.items() if name.startswith("DESCARTES_")},
            "pid": process.pid,
            "started": process.started,
            "version": VERSION,
        }

    async def _store(self, pid: int, seconds: float) -> None:
        kept_now = sum(agent.is_kept for agent in self._daemon.agents.living)
        await self._daemon.tell("supervisor_replaced", supervisor_pid=pid, kept=kept_now, seconds=round(seconds, 3))

    def _tell(self, notice: str | None) -> None:
        """Tell people, in place of what was told before."""
        notices = self._daemon.upkeep.notices
        if notice is not None and notice != self._notice:
            self._daemon.upkeep.tell(notice, instead_of=self._notice)
        elif notice is None:
            notices[:] = [other for other in notices if other != self._notice]
        self._notice = notice


async def _call(connection: Connection, method: str, params: dict[str, Any]) -> dict[str, Any]:
    told = await asyncio.to_thread(connection.call, method, params, timeout=_PATIENCE)
    if not isinstance(told, dict):
        raise SupervisorUnreachable(f"what answers {method} at its socket is no supervisor")
    return told


def _listener(connection: Connection, closed: Callable[[], None]) -> Callable[[], None]:
    def look() -> None:
        try:
            said = connection.socket.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if not said:
            closed()

    return look
