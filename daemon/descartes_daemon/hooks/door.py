"""Hooks: web addresses and commands that are told of this session's events."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import time
from typing import Any

from descartes_core.errors import (
    DescartesError,
    HookNotFound,
    InvalidParams,
    LimitReached,
    NameTaken,
    NotFound,
    Refused,
)
from descartes_core.ids import Named, check_name, new_id, resolve
from descartes_core.messages.common import Nothing
from descartes_core.messages.hooks import AddHook, ListDeliveries, RemoveHook, RetryHook
from descartes_core.times import written
from descartes_daemon.asking import Asking
from descartes_daemon.ground import Ground
from descartes_daemon.hooks.addresses import Private, addresses_of
from descartes_daemon.hooks.attempts import Attempts, end_left, surroundings
from descartes_daemon.hooks.choosing import checked
from descartes_daemon.hooks.hook import Hook, usual_name
from descartes_daemon.hooks.letter import seq_of
from descartes_daemon.hooks.target import Target
from descartes_daemon.hooks.worker import Worker
from descartes_daemon.unit import Unit

#: Who adds a hook waits so long for the name of its host (seconds).
_RESOLVED = 5.0
#: All of them are listed at once.
_LONGEST_COMMAND = 20_000
#: Before the first dead letter.
_BEGINNING = ("", -1)

Reply = dict[str, Any]


def open_room(ground: Ground) -> Hooks:
    """Return the room."""
    return Hooks(ground)


class Hooks:
    """The methods hook.*, and what delivers."""

    def __init__(self, ground: Ground) -> None:
        self._ground, self._store = ground, ground.store
        self._numbers = ground.setup.settings.hooks
        self._session_id = ground.setup.record.id
        self._attempts = Attempts(ground.agents, str(ground.setup.workspace), self._numbers)
        self._workers: dict[str, tuple[Worker, asyncio.Task[None]]] = {}
        self._begun, self._adding = asyncio.Lock(), asyncio.Lock()
        self._has_begun = False

    async def begin(self) -> None:
        """Go on with what is stored, once."""
        async with self._begun:
            if self._has_begun:
                return
            hooks = [Hook.from_row(row) for row in await self._store.select("hooks")]
            if commands := [hook.id for hook in hooks if hook.command is not None]:
                # A daemon that was killed left what it ran: the same event is not to be told to two at once.
                await asyncio.to_thread(end_left, commands)
            for hook in hooks:
                self._start(hook)
            self._has_begun = True

    async def close(self) -> None:
        """Deliver nothing more; what is under way is cut off, and told again by the next daemon."""
        await asyncio.gather(*(self._stop(hook_id) for hook_id in list(self._workers)))

    async def add(self, request: AddHook, asking: Asking) -> Reply:
        """hook.add: tell somebody of events from now on."""
        await self.begin()
        await self._check_target(request)
        async with self._adding:  # names and their number are those of all that were added before
            return await self._add(request, asking)

    async def _add(self, request: AddHook, asking: Asking) -> Reply:
        hook = self._made(request)
        last = self._ground.feed.last_seq
        reply = {"hook": hook.told(last, seen=hook.delivered_to, is_delivering=False), "secret": hook.secret}
        about = {**hook.about, "on": hook.on}
        unit = asking.accepted(Unit()).do("add_hook", **hook.as_params())
        unit.event("SystemEvent", "hook_added", None, about, time.time())
        await self._store.commit(asking.answered(unit, reply))
        self._start(hook)
        asking.answer = reply
        return reply

    def _made(self, request: AddHook) -> Hook:
        feed, known = self._ground.feed, [worker.hook for worker, _ in self._workers.values()]
        if len(known) >= self._numbers.max_hooks:
            raise LimitReached(f"{len(known)} hooks are there already, which is the limit (hooks.max_hooks)")
        if request.since is not None and request.since > feed.last_seq:
            raise InvalidParams(f"since {request.since} lies beyond the newest event, {feed.last_seq}")
        return Hook(
            id=new_id(),
            name=_name(request, {hook.name for hook in known}),
            url=request.url,
            command=request.command,
            on=checked(request.on),
            agent_ids=list(request.agent_ids),
            secret=request.secret or secrets.token_urlsafe(32),
            allow_private=request.allow_private,
            created_at=time.time(),
            delivered_to=feed.last_seq if request.since is None else request.since,
        )

    async def _check_target(self, request: AddHook) -> None:
        """Refuse now what would fail at every try; what cannot be known yet is tried later."""
        if request.command is not None:
            if sum(map(len, request.command)) > _LONGEST_COMMAND:
                raise InvalidParams(f"a hook's command may have {_LONGEST_COMMAND} characters: put it into a file")
            _check_program(request.command[0], str(self._ground.setup.workspace))
            return
        target = Target.read(request.url or "")
        try:
            async with asyncio.timeout(_RESOLVED):
                await addresses_of(target.host, target.port, allow_private=request.allow_private)
        except Private as error:
            raise Refused(f"{error}: say allow_private (--allow-private) if it is meant") from error
        except (OSError, TimeoutError):
            return  # there may be no network now

    async def list(self, _request: Nothing) -> Reply:
        """hook.list: all of them, and how far they are."""
        await self.begin()
        return {"hooks": [self._told(worker) for worker, _ in self._workers.values()]}

    async def remove(self, request: RemoveHook, asking: Asking) -> Reply:
        """hook.remove: tell it nothing more."""
        await self.begin()
        worker = self._worker(request.hook_id)
        reply = {"hook": self._told(worker)}
        unit = asking.accepted(Unit()).do("remove_hook", id=worker.hook.id)
        unit.event("SystemEvent", "hook_removed", None, worker.hook.about, time.time())
        await self._stop(worker.hook.id)
        try:
            await self._store.commit(asking.answered(unit, reply))
        except DescartesError:
            self._start(worker.hook)
            raise
        asking.answer = reply
        return reply

    async def deliveries(self, request: ListDeliveries) -> Reply:
        """hook.deliveries: what was given up."""
        await self.begin()
        hook_id = None if request.hook_id is None else self._worker(request.hook_id).hook.id
        after = _BEGINNING
        if request.after is not None:
            owner = request.after.rpartition(".")[0]
            if (seq := seq_of(request.after, owner)) is None:
                raise InvalidParams("after is the `next` of an earlier reply")
            after = owner, seq
        rows = await self._store.select(
            "dead_letters", hook=hook_id, after_hook=after[0], after_seq=after[1], limit=request.limit + 1
        )
        told = [_dead(dict(row)) for row in rows[: request.limit]]
        return {"deliveries": told, "next": told[-1]["delivery"] if len(rows) > request.limit else None}

    async def retry(self, request: RetryHook, asking: Asking) -> Reply:
        """hook.retry: try what failed once more, now."""
        await self.begin()
        worker = self._worker(request.hook_id)
        hook_id, seq = worker.hook.id, None
        if request.delivery is not None and (seq := seq_of(request.delivery, hook_id)) is None:
            raise NotFound(f"{worker.hook.name} has no dead letter {request.delivery!r}")
        ((letters,),) = await self._store.select("count_dead_letters", hook=hook_id, seq=seq)
        if seq is not None and not letters:
            raise NotFound(f"{worker.hook.name} has no dead letter {request.delivery!r}")
        unit = asking.accepted(Unit()).do("hook_enabled", id=hook_id).do("try_again", hook=hook_id, seq=seq)
        await self._store.commit(unit)
        worker.try_again()
        return {"hook": self._told(worker), "letters": letters}

    def _worker(self, text: str) -> Worker:
        known = [Named(worker.hook.id, worker.hook.name) for worker, _ in self._workers.values()]
        return self._workers[resolve(text, known, HookNotFound)][0]

    def _told(self, worker: Worker) -> Reply:
        last = self._ground.feed.last_seq
        return worker.hook.told(last, seen=worker.seen, is_delivering=worker.is_delivering)

    def _start(self, hook: Hook) -> None:
        ground = self._ground
        attempt = self._attempts.of(hook)
        worker = Worker(hook, self._session_id, ground.feed, self._store, self._numbers, attempt)
        self._workers[hook.id] = worker, ground.background.start(worker.run(), f"hook {hook.name}")

    async def _stop(self, hook_id: str) -> None:
        worker, task = self._workers.pop(hook_id)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if (unit := worker.passed()) is not None:
            self._store.enqueue(unit)


def _name(request: AddHook, taken: set[str]) -> str:
    if request.name is not None:
        if request.name in taken:
            raise NameTaken(f"a hook of this session is called {request.name!r} already")
        return check_name(request.name)
    usual = name = usual_name(request)
    number = 2
    while name in taken:
        name, number = f"{usual}-{number}", number + 1
    return name


def _check_program(program: str, workspace: str) -> None:
    place = os.path.join(workspace, program) if "/" in program else program
    if not program or shutil.which(place, path=surroundings().get("PATH")) is None:
        raise InvalidParams(f"there is no program {program!r}: name one that the daemon finds, or its path")


def _dead(row: dict[str, Any]) -> Reply:
    return {
        "delivery": f"{row['hook']}.{row['seq']}",
        "hook_id": row["hook"],
        "seq": row["seq"],
        "event": row["event"],
        "body": row["body"],
        "tries": row["tries"],
        "error": row["error"],
        "failed_at": written(row["failed_at"]),
        "is_retried": bool(row["again"]),
    }
