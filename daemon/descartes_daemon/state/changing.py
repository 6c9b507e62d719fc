"""Set and delete what agents keep under keys: once, and in turn."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any
from weakref import WeakValueDictionary

from descartes_core.errors import Conflict, InvalidParams, NotFound, TooLarge
from descartes_core.messages.state import LARGEST_VALUE, DeleteState, SetState
from descartes_daemon.asking import Asking
from descartes_daemon.state.whose import Whose
from descartes_daemon.store import Store
from descartes_daemon.unit import Unit
from descartes_local.probe import reached

#: How often what nobody has made a condition of is tried again behind a change that came in between.
_TRIES = 20

Reply = dict[str, Any]
#: Given the version that is there, returns the event_type and what is stored.
How = Callable[[int | None], tuple[str, Reply]]


class Changing:
    """Changes one key at a time; who changes the same one waits for its turn."""

    def __init__(self, store: Store, whose: Whose) -> None:
        self._store, self._whose = store, whose
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def set(self, request: SetState, asking: Asking) -> Reply:
        """state.set: keep a value."""
        value = _as_json(request.value)

        def change(present: int | None) -> tuple[str, Reply]:
            return "updated" if present else "created", {"cause": "set", "there": 1, "value": value}

        return await self._change(request, asking, change)

    async def delete(self, request: DeleteState, asking: Asking) -> Reply:
        """state.delete: keep nothing there any more."""

        def change(present: int | None) -> tuple[str, Reply]:
            if not present:
                raise NotFound(f"agent {request.agent_id} keeps nothing under {request.key!r}")
            return "deleted", {"cause": "deleted", "there": 0, "value": None}

        return await self._change(request, asking, change)

    async def _change(
        self,
        request: SetState | DeleteState,
        asking: Asking,
        change: How,
    ) -> Reply:
        agent = await self._whose.find(request.agent_id)
        turn = self._turns.setdefault((agent, request.key), asyncio.Lock())
        async with turn:
            return await self._insist(
                lambda: self._try(agent, request, asking, change), asking, is_bound=request.expected_version is not None
            )

    async def _insist(self, attempt: Callable[[], Awaitable[Reply]], asking: Asking, *, is_bound: bool) -> Reply:
        """Try again where a restore came in between, unless the version was a condition."""
        was_accepted = asking.is_accepted
        for left in reversed(range(_TRIES)):
            try:
                return await attempt()
            except Conflict:
                asking.is_accepted, asking.answer = was_accepted, None
                if is_bound or not left:
                    raise
        raise AssertionError("the last try ends it")

    async def _try(
        self,
        agent: str,
        request: SetState | DeleteState,
        asking: Asking,
        change: How,
    ) -> Reply:
        ((last, present),) = await self._store.select("state_versions", agent=agent, key=request.key)
        expected = request.expected_version
        if expected is not None and expected != (present or 0):
            there = f"version {present}" if present else "not there"
            raise Conflict(f"{request.key!r} of agent {agent} is {there}, and not version {expected}")
        event_type, how = change(present)
        reply = {"agent_id": agent, "key": request.key, "version": last + 1, "event_type": event_type}
        now = time.time()
        unit = asking.accepted(Unit()).do(
            "change_state",
            agent=agent,
            key=request.key,
            version=last + 1,
            evidence=asking.evidence,
            at=now,
            request_id=asking.id,
            **how,
        )
        told = {"agent_id": agent, "key": request.key, "version": last + 1}
        unit.event("StateEvent", event_type, agent, told, now)
        await self._store.commit(asking.answered(unit, reply))
        asking.answer = reply
        reached("state.changed")
        return reply


def _as_json(value: Any) -> str:
    """Return a value as it is stored.

    Raises:
        InvalidParams: it is no JSON.
        TooLarge: it is too long.

    """
    try:
        text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    except ValueError as error:
        raise InvalidParams(f"value: {error}") from None
    if len(text) > LARGEST_VALUE:
        raise TooLarge(f"a value may have {LARGEST_VALUE} bytes as JSON, this one has {len(text)}")
    return text
