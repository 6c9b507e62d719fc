"""Typing that comes in order and once, over connections and daemons that come and go.

How much of each channel its program has is written beside the agent's log after each write, and not synced: what
forgets it, a machine that goes down, forgets the agent too.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import struct
from pathlib import Path

from descartes_core.errors import Conflict, Refused
from descartes_daemon.agent import Agent
from descartes_daemon.store import Store
from descartes_daemon.tally import Tally
from descartes_local.regular_file import NotRegular, read_regular

#: A program that takes nothing for this long is told so (seconds).
_PATIENCE = 10.0
#: Of one agent: each process that types has its own; of older ones nothing more comes.
_MOST = 64
_RECORD = struct.Struct("<16sQ")


class Channels:
    """All who type by the bus."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._by_agent: dict[str, _Typed] = {}

    def type(self, agent: Agent, client: str, channel: str, at: int, data: bytes) -> int:
        """Type what of this was not typed before, at once; return how many bytes of the channel there are then.

        Raises:
            Conflict: it begins beyond that; nothing was typed.
            Refused, LimitReached: it cannot be typed to.

        """
        if not agent.is_alive or agent.body is None:
            raise Refused(f"agent {agent.called} cannot be typed to: it is {agent.row.state}")
        typed = self._of(agent)
        there = typed.counts.get(mark := _mark(client, channel), 0)
        if at > there:
            raise Conflict(f"{there} bytes were typed on this channel: go on from there")
        if new := data[there - at :]:
            agent.body.keys.type(new)
            there += len(new)
            typed.note(mark, there, agent.body.keys.waiting)
            typed.tally(self._store, agent.id, client).add(len(new))
        return there

    def count(self, agent: Agent, client: str, channel: str) -> int:
        """Return how many bytes were typed on a channel."""
        return self._of(agent).counts.get(_mark(client, channel), 0)

    async def taken(self, agent: Agent, client: str, channel: str, there: int) -> int:
        """Return how many of so many bytes its program has, once that is all, or it takes no more for long."""
        if agent.body is None:
            return there
        keys, typed, mark = agent.body.keys, self._of(agent), _mark(client, channel)
        if keys.is_waiting:
            try:
                async with asyncio.timeout(_PATIENCE):
                    await keys.typed()
            except TimeoutError:
                return max(0, there - keys.waiting)
            typed.note(mark, max(there, typed.counts.get(mark, 0)), keys.waiting)
        return there

    def forget(self, agent: Agent) -> None:
        """Forget one that has ended."""
        if (typed := self._by_agent.pop(agent.id, None)) is not None:
            typed.close()

    def settle(self, agents: dict[str, Agent]) -> None:
        """Write down exactly what each program has: the next daemon goes on from there."""
        for identity, typed in self._by_agent.items():
            agent = agents.get(identity)
            waiting = 0 if agent is None or agent.body is None else agent.body.keys.waiting
            for mark, count in list(typed.counts.items()):
                typed.note(mark, count, waiting if mark == typed.last else 0)
            typed.close()

    def _of(self, agent: Agent) -> _Typed:
        if agent.id not in self._by_agent:
            self._by_agent[agent.id] = _Typed(agent.log.directory / "typed")
        return self._by_agent[agent.id]


class _Typed:
    """What was typed into one agent, by channel."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.counts = _read(path)
        #: Who typed last: what waits is of this one.
        self.last = b""
        self._tallies: dict[str, Tally] = {}

    def note(self, mark: bytes, count: int, waiting: int) -> None:
        """Write down that its program has all of so many bytes but what waits."""
        if mark not in self.counts and len(self.counts) >= _MOST:
            del self.counts[next(iter(self.counts))]
        self.counts[mark], self.last = count, mark
        slots = [(each, number - (waiting if each == mark else 0)) for each, number in self.counts.items()]
        content = b"".join(_RECORD.pack(each, max(0, number)) for each, number in slots)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(descriptor, content, 0)
        finally:
            os.close(descriptor)

    def tally(self, store: Store, agent_id: str, client: str) -> Tally:
        """Return who counts for the audit."""
        if client not in self._tallies:
            while len(self._tallies) >= _MOST:  # clients have another name with each connection
                self._tallies.pop(next(iter(self._tallies))).close()
            self._tallies[client] = Tally(store, agent_id, client)
        return self._tallies[client]

    def close(self) -> None:
        """Note what is left to be noted."""
        for tally in self._tallies.values():
            tally.close()
        self._tallies.clear()


def _read(path: Path) -> dict[bytes, int]:
    try:
        content = read_regular(path)
    except (OSError, NotRegular):
        return {}
    whole = len(content) - len(content) % _RECORD.size
    return dict(_RECORD.iter_unpack(content[:whole]))


def _mark(client: str, channel: str) -> bytes:
    return hashlib.blake2b(f"{client} {channel}".encode(errors="surrogatepass"), digest_size=16).digest()
