"""Descriptors that outlive this daemon, held by who started it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Mapping
from typing import Any

from descartes_core import kept
from descartes_core.errors import DescartesError, Shortage
from descartes_daemon.notify import Notifier
from descartes_local.endings import UNKNOWN, Ending
from descartes_local.processes import Process
from descartes_local.rpc_client import call

_log = logging.getLogger(__name__)

#: The supervisor answers from memory; it never works long.
_DEADLINE = 5.0


_NO_STORE = (
    "agents end with this daemon: systemd keeps no descriptor of its service "
    "(FileDescriptorStoreMax=; before systemd 254 also Environment=FDSTORE= with the same number)"
)


class Keeping:
    """What is in keeping, by name; without a keeper nothing is, and every call says so."""

    def __init__(
        self, notifier: Notifier, supervisor: str | None, inherited: Mapping[str, int], *, room: int = 0
    ) -> None:
        self._notifier = notifier
        #: Path of the supervisor's socket, None under systemd or alone.
        self._supervisor = supervisor
        self._inherited = dict(inherited)
        #: How many descriptors systemd keeps for us; the supervisor tells by itself what it does not keep.
        self._room = room
        self._stored = {name for name in inherited if kept.is_stored(name)}
        #: What one gives comes in one piece, since an answer is about all before it.
        self._turn = asyncio.Lock()
        #: It has not answered in time: what it was given then is not known to be kept.
        self.was_silent = asyncio.Event()
        #: Which keeper this is: what one had acknowledged is nothing to the next.
        self._keeper = 0
        #: Why something was not kept; None once something was again.
        self.trouble: str | None = None

    @property
    def has_keeper(self) -> bool:
        """Whether anybody keeps."""
        return self._notifier.is_heard and (self._supervisor is not None or self._room > 0)

    @property
    def keeper(self) -> str:
        """Who keeps, as run files tell it."""
        return "supervisor" if self._supervisor is not None else "systemd" if self.has_keeper else ""

    @property
    def troubles(self) -> list[str]:
        """What people should know."""
        if self._notifier.is_heard and not self.has_keeper:
            return [_NO_STORE]
        return [] if self.trouble is None else [self.trouble]

    async def keep(self, descriptors: Mapping[str, int]) -> bool:
        """Give descriptors into keeping; True only once they are acknowledged, False where nobody answers.

        Raises:
            Shortage: whoever keeps takes no more, or the kernel passes none on; none of these is needed there.

        """
        if not self.has_keeper:
            return False
        keeper = self._keeper
        async with self._turn:
            self._refuse_beyond_room(descriptors)
            try:
                sent = await self._give(descriptors)
            except OSError as error:
                raise self._shortage(f"its descriptors cannot be passed on: {error.strerror}") from error
        word = None if sent is None else await self._notifier.answer(sent)
        if word is None:
            self.was_silent.set()
        if word is None or keeper != self._keeper or (word == "" and not await self._is_there()):
            return False
        if self._supervisor is not None and word != kept.ALL_KEPT:
            await self.forget(*descriptors)
            # It has closed without a word what it was asked by: that did not even arrive.
            raise self._shortage(word.removeprefix(kept.NOT_KEPT) or "the supervisor has no descriptor free")
        self.trouble = None
        return True

    async def _is_there(self) -> bool:
        """Say whether whoever answered without a word is still there: one that dies closes everything so."""
        return self._supervisor is None or await self._notifier.tell("STATUS=serving")

    async def answers(self) -> bool:
        """Say whether whoever keeps is there, and hears us."""
        try:
            sent = await self._notifier.send_barrier()
        except OSError:  # no descriptor is free to ask by: nothing has told yet that it is gone
            return True
        word = None if sent is None else await self._notifier.answer(sent)
        return word is not None and (self._supervisor is None or word != "")

    async def ends(self) -> bool:
        """Say whether whoever keeps was asked to end as well: then everybody was, agents too."""
        try:
            told = await asyncio.to_thread(self._call, "ping", {})
        except OSError:  # no descriptor is free to ask by
            return False
        return isinstance(told, dict) and told.get("ends") is True

    def lose(self) -> None:
        """Know that the keeper is gone, and everything it kept."""
        self._keeper += 1
        self._stored.clear()
        self._notifier.lose()

    async def find_again(self) -> bool:
        """Give to the next keeper from here on; False when it does not listen."""
        return await self._notifier.reconnect()

    async def try_keep(self, descriptors: Mapping[str, int]) -> bool:
        """Give into keeping what goes on also without; that it does is told."""
        try:
            return await self.keep(descriptors)
        except Shortage as error:
            _log.warning("%s", error)
            return False

    async def _give(self, descriptors: Mapping[str, int]) -> int | None:
        for name, descriptor in descriptors.items():
            if not await self._notifier.tell("FDSTORE=1", f"FDNAME={name}", "FDPOLL=0", descriptors=[descriptor]):
                return None
            self._stored.add(name)
        return await self._notifier.send_barrier()

    def _refuse_beyond_room(self, descriptors: Mapping[str, int]) -> None:
        """Refuse what systemd would close without a word.

        Raises:
            Shortage: its store is full.

        """
        if self._supervisor is None and len(self._stored | set(descriptors)) > self._room:
            raise self._shortage(
                f"systemd keeps {len(self._stored)} of this service's {self._room} descriptors "
                "(FileDescriptorStoreMax): end some agents, or raise it"
            )

    def _shortage(self, why: str) -> Shortage:
        self.trouble = f"agents cannot be kept over this daemon's death: {why}"
        return Shortage(self.trouble)

    async def forget(self, *names: str) -> None:
        """Take descriptors out of keeping."""
        async with self._turn:
            for name in names:
                await self._notifier.tell("FDSTOREREMOVE=1", f"FDNAME={name}")
                self._stored.discard(name)

    async def forget_surely(self, name: str) -> None:
        """Take a descriptor out of keeping, and wait until it is closed there."""
        await self.forget(name)
        await self._notifier.barrier()

    def take(self, name: str) -> int | None:
        """Return a descriptor that was in keeping when this daemon began; each can be taken once."""
        return self._inherited.pop(name, None)

    def close_rest(self) -> None:
        """Close what was handed over and is nothing of ours: a third port, or what only a later version knows."""
        for name, descriptor in self._inherited.items():
            _log.warning("descriptor %d (%s) was handed over, and is nothing this daemon serves", descriptor, name)
            os.close(descriptor)
        self._inherited.clear()

    def kept_agents(self) -> set[str]:
        """Return the agents of which something is still to be taken."""
        parts = (kept.agent_part(name) for name in self._inherited)
        return {part.agent for part in parts if part is not None}

    def ask_ending(self, process: Process) -> Ending | None:
        """Ask the supervisor, whose child an adopted agent is, how it ended; None while it runs.

        Raises:
            OSError: no descriptor is free to ask by.

        """
        found = self._ask("exit_status", process)
        if found is None:
            return UNKNOWN
        if not found["ended"]:
            return None
        return Ending(found["exit_code"], found["signal"]) if found["known"] else UNKNOWN

    def tell_committed(self, process: Process) -> None:
        """Tell the supervisor that an ending is stored: now it may reap."""
        with contextlib.suppress(OSError):  # it will when it lets go of the descriptor
            self._ask("committed", process)

    def orphans(self, session_id: str) -> list[tuple[Process, str]]:
        """Return what earlier daemons of this session left with the supervisor: process and command."""
        found = None
        with contextlib.suppress(OSError):  # no descriptor is free: they are asked for again
            found = self._call("orphans", {"session_id": session_id})
        return [(Process(one["pid"], one["started"]), one["command"]) for one in (found or {}).get("processes", [])]

    def tell_name(self, session_id: str, name: str) -> None:
        """Tell the supervisor what the session is called now, for the next daemon and for what it tells of it."""
        self._call("renamed", {"id": session_id, "name": name})

    def _ask(self, method: str, process: Process) -> Any:
        return self._call(method, {"pid": process.pid, "started": process.started})

    def _call(self, method: str, params: dict[str, Any]) -> Any:
        if self._supervisor is None:
            return None
        try:
            return call(self._supervisor, method, params, timeout=_DEADLINE)
        except DescartesError:
            return None
