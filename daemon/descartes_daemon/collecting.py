"""Remove what the retention policy says: outputs of agents that ended long ago, and old events.

Each agent: its removal is committed, with its event → its directory gets another name → all in it is removed. From the
commit on readers are told; who is killed in between leaves what the next daemon finishes. Nobody's log is removed
while somebody reads it, and nothing of an agent of which anything still runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from descartes_core.errors import Refused
from descartes_core.ids import short
from descartes_core.messages.sessions import Collect
from descartes_core.times import written_or_none
from descartes_daemon.agents import Agents
from descartes_daemon.asking import Asking
from descartes_daemon.cooling import Cooling
from descartes_daemon.dropping import Caps
from descartes_daemon.event_bound import EventBound
from descartes_daemon.once import Once
from descartes_daemon.outputs import FILES
from descartes_daemon.stored import StoredOutput
from descartes_daemon.unit import Unit
from descartes_local.config_sections import Retention
from descartes_local.disk_use import taken_by
from descartes_local.probe import reached

_log = logging.getLogger(__name__)

_DAY = 86_400.0
#: What is on its way out has this behind its name.
_GONE = ".gone"

Reply = dict[str, Any]


class Collecting:
    """Does what `descartes gc` asks for, and finishes what a killed daemon began."""

    def __init__(
        self, agents: Agents, caps: Caps, once: Once, bound: EventBound, kept: Retention, *, cooling: Cooling
    ) -> None:
        self._agents, self._caps, self._once, self._bound, self._kept = agents, caps, once, bound, kept
        #: Compresses what is old and stays.
        self._cooling = cooling
        self._directory = agents.place.data / "agents"
        self._turn = asyncio.Lock()

    async def begin(self) -> None:
        """Finish what was committed before a kill."""
        collected = [one.agent_id for one in await self._agents.store.outputs() if one.collected_at is not None]
        for error in await asyncio.to_thread(_finish, self._directory, collected):
            _log.error("%s", error)
        await self._bound.prune()
        self._bound.grew(self._agents.store.last_seq())

    async def collect(self, request: Collect, asking: Asking) -> Reply:
        """session.collect: tell what goes, and let it go unless it is only asked for."""
        days = self._kept.output_days if request.older_than is None else request.older_than
        event_days = self._kept.event_days if request.events_older_than is None else request.events_older_than
        async with self._turn:
            reply = await self._outputs(time.time() - days * _DAY, asking, is_asked=request.dry_run)
            to, count = await self._agents.store.events_before(time.time() - event_days * _DAY)
            to, count = await self._bound.surplus_beyond(to, count)
            reply["events"] = count
            if count and not request.dry_run:
                await self._agents.store.commit(asking.accepted(Unit()).give_up_events(to))
                reached("collect.events_given_up")
                await self._bound.prune()
        reply["compressed"] = await self._compress(request, {one["agent_id"] for one in reply["agents"]})
        if not request.dry_run:
            await self._once.prune()
            await self._caps.begin()
        return reply

    async def _compress(self, request: Collect, removed: set[str]) -> list[Reply]:
        """Compress what is old and was not removed."""
        found = await self._cooling.cool(request.compress_older_than, is_asked=request.dry_run)
        return [one for one in found if one["agent_id"] not in removed]

    async def forget(self, agent_id: str) -> None:
        """Remove all that one ended agent said, which somebody else has.

        Raises:
            Refused: something of it still runs, or it is read.

        """
        async with self._turn:
            for one in await self._agents.store.outputs():
                if one.agent_id != agent_id or one.collected_at is not None:
                    continue
                why_not = self._why_not(agent_id) if one.is_over else "it has not ended"
                why_not = why_not or await self._remove(one, self._directory / agent_id, Asking("forget", "bus"))
                if why_not is not None:
                    raise Refused(f"{one.name} ({short(agent_id)}): {why_not}")

    async def _outputs(self, before: float, asking: Asking, *, is_asked: bool) -> Reply:
        gone, kept = [], []
        for one in await self._agents.store.outputs():
            if not one.is_over or one.collected_at is not None or (one.ended_at or 0.0) > before:
                continue
            directory = self._directory / one.agent_id
            size = await asyncio.to_thread(_bytes_in, directory)
            if size is None:
                continue
            why_not = self._why_not(one.agent_id)
            if why_not is None and not is_asked:
                why_not = await self._remove(one, directory, asking)
            if why_not is None:
                ended = written_or_none(one.ended_at)
                gone.append({"agent_id": one.agent_id, "name": one.name, "ended_at": ended, "bytes": size})
            else:
                kept.append(f"{one.name} ({short(one.agent_id)}): {why_not}")
        return {"agents": gone, "bytes": sum(one["bytes"] for one in gone), "kept": kept}

    def _why_not(self, agent_id: str) -> str | None:
        if agent_id in self._agents.present:
            return "something of it still runs"
        return "somebody reads its output" if self._agents.outputs.is_read(agent_id) else None

    async def _remove(self, one: StoredOutput, directory: Path, asking: Asking) -> str | None:
        """Remove all that one agent said; say why it could not be, if so."""
        unit, now = asking.accepted(Unit()), time.time()
        for stream, begin in one.begins.items():
            size = _size_of(directory / f"{FILES[stream]}.log")
            if size > begin:
                data = {"name": one.name, "stream": stream, "begin": begin, "end": size, "reason": "gc"}
                unit.set_begin(one.agent_id, stream, size).event(
                    "AgentEvent", "output_dropped", one.agent_id, data, now
                )
        await self._agents.store.commit(unit.set_collected(one.agent_id, now))
        reached("collect.committed")
        self._agents.outputs.collected(one.agent_id, now)
        try:
            await asyncio.to_thread(_remove, directory)
        except OSError as error:
            _log.error("%s: %s", directory, error)
            return f"{error.strerror or error}; it is tried again with the next start"
        return None


def _finish(directory: Path, collected: Iterable[str]) -> list[str]:
    """Remove what is on its way out already; in a thread."""
    left = [directory / identity for identity in collected]
    errors = []
    for place in [*left, *_on_their_way_out(directory)]:
        try:
            _remove(place)
        except OSError as error:
            errors.append(f"{place}: {error}")
    return errors


def _on_their_way_out(directory: Path) -> list[Path]:
    # Not by glob, whose pattern each daemon would have to compile at its start.
    with contextlib.suppress(FileNotFoundError):
        return [directory / name for name in os.listdir(directory) if name.endswith(_GONE)]
    return []


def _remove(place: Path) -> None:
    """Remove a directory: first its name, in one step, then what is in it."""
    gone = place if place.name.endswith(_GONE) else place.with_name(place.name + _GONE)
    if gone != place and place.exists():
        shutil.rmtree(gone, ignore_errors=True)  # a rename does not take the place of what is not empty
        os.rename(place, gone)
    reached("collect.renamed")
    if gone.exists():
        shutil.rmtree(gone)


def _bytes_in(directory: Path) -> int | None:
    """Return what lies there takes on the disk; None where nothing lies."""
    return taken_by(directory) if directory.is_dir() else None


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
