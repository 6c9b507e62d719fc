"""Tell one hook of events: in order, each until it is taken or given up.

The table of events is the queue, and the hook's row the cursor, which is written after each delivery: a kill repeats at
most the one that was under way. It waits for the feed, and does nothing at rest.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from descartes_core.errors import Unavailable
from descartes_daemon.feed import Feed
from descartes_daemon.hooks.choosing import wants
from descartes_daemon.hooks.hook import Hook
from descartes_daemon.hooks.letter import Letter, letter_again, letter_of
from descartes_daemon.hooks.outcome import Outcome
from descartes_daemon.store import Store
from descartes_daemon.unit import Unit
from descartes_local.config_sections import Hooks as Numbers
from descartes_local.probe import reached

#: Events are taken from the feed in pieces.
_PIECE = 100
#: Events that nobody wanted are passed over in memory; so often that is written down.
_PASSED = 1000
#: How often a store that cannot be written is tried again (seconds).
_STORE_AGAIN = 1.0

#: Tries one letter once: the letter, and how many tries there were before.
Try = Callable[[Letter, int], Awaitable[Outcome]]


class Worker:
    """What delivers to one hook."""

    def __init__(self, hook: Hook, session_id: str, feed: Feed, store: Store, numbers: Numbers, attempt: Try) -> None:
        self.hook = hook
        self.is_delivering = False
        self._session_id, self._feed, self._store, self._numbers = session_id, feed, store, numbers
        self._attempt = attempt
        #: Up to here nothing is left to be told.
        self.seen = hook.delivered_to
        self._ahead: deque[dict[str, Any]] = deque()
        #: What was removed before it was delivered: the first and the last seq.
        self._gap: tuple[int, int] | None = None
        self._poked = asyncio.Event()
        #: Dead letters may be there that are to be tried once more.
        self._has_again = hook.dead > 0

    async def run(self) -> None:
        """Deliver for ever."""
        while True:
            self._poked.clear()
            try:
                await self._go_on()
            except Unavailable:
                # What cannot be read now is read when that is over.
                await asyncio.sleep(_STORE_AGAIN)

    async def _go_on(self) -> None:
        """Do the next thing there is to do, or wait for one."""
        if self.hook.disabled_at is not None:
            await self._poked.wait()
        elif (letter := await self._next_again()) is not None:
            await self._once_more(letter)
        elif (pause := self._pause()) > 0:
            await self._either(asyncio.sleep(pause))
        elif (letter := await self._next()) is not None:
            await self._once(letter)
        else:
            await self._either(self._feed.wait_beyond(self.seen))

    def try_again(self) -> None:
        """Try now what failed, dead letters too; their rows say which."""
        self.hook.next_at = self.hook.disabled_at = None
        self._has_again = True
        self._poked.set()

    def passed(self) -> Unit | None:
        """Return what is to be written down of events that were passed over; a gap is told first."""
        if self._gap is not None or self.seen <= self.hook.delivered_to:
            return None
        self.hook.delivered_to = self.seen
        return Unit().do("hook_passed", id=self.hook.id, seq=self.seen)

    def _pause(self) -> float:
        """Return how long the next try is to wait; the clock may have been set back meanwhile."""
        next_at = self.hook.next_at
        return 0.0 if next_at is None else min(next_at - time.time(), self._numbers.longest_pause)

    async def _next(self) -> Letter | None:
        """Return the next one that it wants, None where there is none yet; it stays the next until it is settled."""
        while self._ahead or self._feed.last_seq > self.seen:
            if not self._ahead:
                await self._look()
                continue
            event = self._ahead[0]
            if self._is_wanted(event):
                return letter_of(self.hook.id, self._session_id, event, self._gap)
            self._ahead.popleft()
            self.seen = event["seq"]
            if self.seen - self.hook.delivered_to >= _PASSED and (unit := self.passed()) is not None:
                self._store.enqueue(unit)
        return None

    async def _look(self) -> None:
        piece = await self._feed.after(self.seen, _PIECE)
        if piece.begin > self.seen:
            first = self.seen + 1 if self._gap is None else self._gap[0]
            self._gap = first, piece.begin
            self.seen = piece.begin
            self._feed.on_gap()
        self._ahead.extend(piece.events)

    def _is_wanted(self, event: dict[str, Any]) -> bool:
        # Of its own troubles it is not told: each would be the next one.
        is_own = event["event_type"].startswith("hook_") and event["data"].get("hook_id") == self.hook.id
        return not is_own and wants(event, self.hook.on, self.hook.agent_ids)

    async def _once(self, letter: Letter) -> None:
        """Try the next event once, and write down what came of it."""
        hook = self.hook
        outcome = await self._try(letter, hook.tries)
        if outcome.error is None:
            return await self._delivered(letter)
        hook.error, hook.output, hook.failed_at = outcome.error, outcome.output, time.time()
        if outcome.is_gone:
            return await self._disable(letter)
        if hook.tries + 1 >= self._numbers.tries:
            return await self._give_up(letter)
        return await self._fail()

    async def _try(self, letter: Letter, before: int) -> Outcome:
        self.is_delivering = True
        try:
            return await self._attempt(letter, before)
        finally:
            self.is_delivering = False

    async def _delivered(self, letter: Letter) -> None:
        reached("hook.delivered")
        hook, at = self.hook, time.time()
        await self._commit(Unit().do("hook_delivered", id=hook.id, seq=letter.seq, at=at))
        reached("hook.committed")
        self._came_to(letter)
        hook.delivered, hook.delivered_at, hook.is_failing = hook.delivered + 1, at, False

    def _came_to(self, letter: Letter) -> None:
        self.seen, self._gap = letter.seq, None
        self._ahead.popleft()
        self.hook.delivered_to, self.hook.tries, self.hook.next_at = letter.seq, 0, None

    async def _fail(self) -> None:
        hook, numbers = self.hook, self._numbers
        longest = min(numbers.longest_pause, numbers.first_pause * 2.0 ** min(hook.tries, 30))
        hook.tries += 1
        # Cut by up to a half: those who lost one receiver do not come back as one.
        hook.next_at = time.time() + longest * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        await self._commit(Unit().do("hook_failed", tries=hook.tries, next_at=hook.next_at, **self._why()))

    async def _give_up(self, letter: Letter) -> None:
        hook, tries = self.hook, self.hook.tries + 1
        why = self._why()
        unit = Unit().do(
            "dead_letter",
            hook=hook.id,
            seq=letter.seq,
            event=letter.event,
            body=letter.body,
            tries=tries,
            error=hook.error,
            at=hook.failed_at,
        )
        unit.do("bound_dead_letters", hook=hook.id, most=self._numbers.keep_dead)
        await self._commit(self._tell(unit.do("hook_gave_up", seq=letter.seq, **why), letter, tries))
        reached("hook.gave_up")
        self._came_to(letter)
        hook.is_failing, hook.dead = True, min(hook.dead + 1, self._numbers.keep_dead)

    async def _disable(self, letter: Letter) -> None:
        hook = self.hook
        unit = Unit().do("hook_disabled", **self._why())
        await self._commit(self._tell(unit, letter, hook.tries + 1, is_disabled=True))
        hook.disabled_at, hook.tries, hook.next_at, hook.is_failing = hook.failed_at, 0, None, True

    def _why(self) -> dict[str, Any]:
        hook = self.hook
        return {"id": hook.id, "error": hook.error, "output": hook.output, "at": hook.failed_at}

    def _tell(self, unit: Unit, letter: Letter, tries: int, *, is_disabled: bool = False) -> Unit:
        """Add the event of a failure, once until something is delivered again."""
        if self.hook.is_failing and not is_disabled:
            return unit
        about = {"seq": letter.seq, "tries": tries, "error": self.hook.error, "disabled": is_disabled}
        return unit.event("SystemEvent", "hook_failed", None, {**self.hook.about, **about}, time.time())

    async def _next_again(self) -> Letter | None:
        if not self._has_again:
            return None
        for row in await self._store.select("dead_letters_again", hook=self.hook.id):
            return letter_again(self.hook.id, row["seq"], row["event"], row["body"])
        # Who asked for another try while this was read is not forgotten.
        self._has_again = self._poked.is_set()
        return None

    async def _once_more(self, letter: Letter) -> None:
        """Try a dead letter once."""
        hook, outcome, at = self.hook, await self._try(letter, self._numbers.tries), time.time()
        if outcome.error is not None:
            failed = Unit().do("letter_failed_again", hook=hook.id, seq=letter.seq, error=outcome.error, at=at)
            return await self._commit(failed)
        unit = Unit().do("letter_delivered", hook=hook.id, seq=letter.seq)
        await self._commit(unit.do("letter_delivered_late", id=hook.id, at=at))
        hook.delivered, hook.delivered_at, hook.is_failing = hook.delivered + 1, at, False
        hook.dead = max(0, hook.dead - 1)
        return None

    async def _either(self, awaited: Awaitable[object]) -> None:
        """Wait until this is over, or somebody pokes."""
        tasks = {asyncio.ensure_future(awaited), asyncio.ensure_future(self._poked.wait())}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    async def _commit(self, unit: Unit) -> None:
        """Write it down; where the disk is full, once there is room: until then nothing more is delivered."""
        while True:
            with suppress(Unavailable):
                await self._store.commit(unit)
                return
            await asyncio.sleep(_STORE_AGAIN)
