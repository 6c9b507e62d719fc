"""Recordings that come from elsewhere, and what was typed into agents.

An import is written beside the agents first, under a mark with its id; it is moved to them, and then committed: from
there on it is an agent that has ended. Who is killed before leaves a mark, by which the next daemon removes the rest.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import os
import shlex
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from descartes_core.agent_life import Cause, State
from descartes_core.errors import AlreadyExists, InvalidParams, Refused, Unavailable
from descartes_core.ids import check_name, fitting_name, new_id
from descartes_core.messages.recordings import ImportRecording, ReadInput
from descartes_core.recordings.cast_file import WrongCast
from descartes_core.redaction import redact
from descartes_core.times import written
from descartes_daemon.agent_row import AgentRow
from descartes_daemon.asking import Asking
from descartes_daemon.ground import Ground
from descartes_daemon.recordings.writing import TooMuch, Written, remove, write
from descartes_daemon.unit import Unit
from descartes_local.json_file import sync_directory
from descartes_local.probe import reached
from descartes_local.regular_file import NotRegular, open_regular

Reply = dict[str, Any]
#: Who "typed" what a recording has.
_CLIENT = "the recording"


def open_room(ground: Ground) -> Recordings:
    """Return what answers for recordings."""
    return Recordings(ground)


class Recordings:
    """Answers `recording.import` and `recording.input`."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._agents, self._store = ground.agents, ground.store
        #: Where imports are under way.
        self._coming = ground.agents.place.data / "importing"
        self._under_way: set[str] = set()
        #: Held while the rest of killed ones is removed, and while an id is taken: a repeat of one waits for that.
        self._tidying = asyncio.Lock()
        self._tasks: set[asyncio.Task[Reply]] = set()
        self._over = threading.Event()

    async def begin(self) -> None:
        """Remove what a killed daemon left, or what it had just finished."""
        async with self._tidying:
            for mark in await asyncio.to_thread(lambda: sorted(self._coming.glob("*.mark"))):
                if mark.stem not in self._under_way:
                    is_there = await self._store.agent(mark.stem) is not None
                    await asyncio.to_thread(self._clear, mark.stem, keep=is_there)
            if not self._under_way:
                with contextlib.suppress(OSError):
                    self._coming.rmdir()

    async def import_(self, request: ImportRecording, asking: Asking) -> Reply:
        """recording.import: make an agent of a recording, whole or not at all."""
        # Who goes away meanwhile does not stop it: half of it would be left.
        task = asyncio.ensure_future(self._import(request, asking))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Break off what is under way; nothing of it is left."""
        self._over.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _import(self, request: ImportRecording, asking: Asking) -> Reply:
        identity = request.agent_id or new_id()
        async with self._tidying:
            if identity in self._under_way or await self._store.agent(identity) is not None:
                raise AlreadyExists(f"agent {identity} exists already")
            self._under_way.add(identity)
        try:
            found = await asyncio.to_thread(self._take_in, request, identity)
            row = self._row(request, identity, found)
            reply = await self._commit(row, found, asking, _named(request))
        except BaseException:
            await asyncio.to_thread(self._clear, identity, keep=False)
            raise
        finally:
            self._under_way.discard(identity)
        await asyncio.to_thread(self._clear, identity, keep=True)
        return reply

    def _take_in(self, request: ImportRecording, identity: str) -> Written:
        most = self._ground.setup.settings.output.agent_cap
        try:
            with _opened(request) as source:
                self._coming.mkdir(mode=0o700, exist_ok=True)
                # What a killed daemon left of the same request.
                self._clear(identity, keep=False)
                self._mark(identity).touch(mode=0o600)
                sync_directory(self._coming)
                began = os.fstat(source.fileno()).st_mtime if request.path else time.time()
                found = write(source, self._coming / identity, began=began, most=most, over=self._over)
        except (WrongCast, TooMuch) as error:
            raise InvalidParams(f"{_named(request)}: {error}") from error
        except NotRegular as error:
            raise Refused(f"{request.path} is no regular file") from error
        except OSError as error:
            raise Refused(f"cannot import {_named(request)}: {error.strerror or error}") from error
        reached("recording.written")
        try:
            self._agents.place.agents.mkdir(mode=0o700, exist_ok=True)
            os.rename(self._coming / identity, self._agents.place.agent(identity))
            sync_directory(self._agents.place.agents)
        except OSError as error:
            # What is in that place is not ours to be removed.
            self._mark(identity).unlink(missing_ok=True)
            raise Unavailable(f"cannot import {_named(request)}: {error.strerror or error}") from error
        reached("recording.moved")
        return found

    def _row(self, request: ImportRecording, identity: str, found: Written) -> AgentRow:
        rows, cols = found.cast.size
        name = request.name or found.cast.title or Path(_named(request)).stem
        return AgentRow(
            id=identity,
            name=check_name(request.name) if request.name else fitting_name(name),
            command=tuple(redact(_words(found.cast.command))) or ("asciinema", "play", _named(request)),
            cwd=self._agents.place.workspace,
            rows=rows,
            cols=cols,
            grace=0.0,
            stop_signal="SIGTERM",
            leave=False,
            umask=0o077,
            created_at=time.time(),
        )

    async def _commit(self, row: AgentRow, found: Written, asking: Asking, named: str) -> Reply:
        now, code, cast = row.created_at, found.cast.exit_code, found.cast
        evidence = f"imported from {named}, recorded {written(cast.began)}"
        cause, became = (Cause.ENDED_BADLY, State.FAILED) if code else (Cause.ENDED_WELL, State.COMPLETED)
        unit = asking.accepted(Unit()).add_agent(row)
        unit.move(row.id, State.INITIALIZING, State.RUNNING, Cause.SPAWNED, evidence=evidence, at=now)
        unit.move(row.id, State.RUNNING, became, cause, evidence=evidence, at=now)
        unit.set_started(row.id, now).set_ended(row.id, now, code, None)
        for at, data in found.inputs:
            unit.typed(row.id, at, _CLIENT, len(data), data)
        told = {"name": row.name, "from": named, "bytes": found.size, "recorded_at": written(cast.began)}
        unit.event("AgentEvent", "imported", row.id, told, now)
        await self._store.commit(unit)
        reached("recording.committed")
        agent = await self._agents.find(row.id)
        left_out = dict(cast.left_out)
        return {"agent": agent.info(), "events": cast.events, "left_out": left_out, "recorded_at": written(cast.began)}

    async def input(self, request: ReadInput) -> Reply:
        """recording.input: what was typed, as far as it was kept."""
        agent = await self._agents.find(request.agent_id)
        rows = await self._store.select("inputs_after", agent=agent.id, after=request.after, limit=request.limit)
        told = [
            {
                "seq": seq,
                "at": written(at),
                "client": client,
                "length": length,
                "data": None if data is None else base64.b64encode(data).decode(),
            }
            for seq, at, client, length, data in rows
        ]
        return {"inputs": told, "next": told[-1]["seq"] if len(told) == request.limit else None}

    def _mark(self, identity: str) -> Path:
        return self._coming / f"{identity}.mark"

    def _clear(self, identity: str, *, keep: bool) -> None:
        remove(self._coming / identity)
        if not keep and self._mark(identity).exists():
            remove(self._agents.place.agent(identity))
        self._mark(identity).unlink(missing_ok=True)


@contextlib.contextmanager
def _opened(request: ImportRecording) -> Iterator[BinaryIO]:
    if request.data is not None:
        yield io.BytesIO(request.data.encode("utf-8", "replace"))
        return
    with os.fdopen(open_regular(Path(str(request.path))), "rb") as file:
        yield file


def _named(request: ImportRecording) -> str:
    return Path(request.path).name if request.path else "a recording"


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)[:100]
    except ValueError:
        return [command]
