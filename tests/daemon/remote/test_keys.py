"""What is typed to an agent elsewhere comes in order and once, however its runner answers."""

from __future__ import annotations

import asyncio
import os
import random
from typing import Any

import pytest

from descartes_core.bus.messages import CommandResponse, Payload
from descartes_core.errors import DeadlineOver, LimitReached, Refused
from descartes_daemon.remote.keys import RemoteKeys

pytestmark = pytest.mark.anyio


class Program:
    """A runner with a program that reads, over a bad line."""

    def __init__(self, *, has_terminal: bool = True, loses: float = 0.0) -> None:
        self.read = bytearray()
        self.ends = 0
        self.counts: dict[str, int] = {}
        self.refusal: Exception | None = None
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.was_asked = asyncio.Event()
        self._loses, self._chance = loses, random.Random(1)
        self._seen: set[str] = set()
        self.keys = RemoteKeys(self.ask, asyncio.create_task, has_terminal=has_terminal)  # type: ignore[arg-type]

    async def ask(self, payload: Payload, *, timeout: float, request_id: str) -> Any:
        del timeout
        self.was_asked.set()
        await self.may_answer.wait()
        if self._chance.random() < self._loses:
            raise DeadlineOver("the question was lost")
        if self.refusal is not None:
            raise self.refusal
        answer = self._typed(payload, request_id)
        if self._chance.random() < self._loses:
            raise DeadlineOver("the answer was lost")
        return answer

    def _typed(self, payload: Payload, request_id: str) -> CommandResponse:
        there = self.counts.get(payload["channel"], 0)
        told: dict[str, Any] = {"request_id": request_id, "agent_id": "a"}
        if payload["at"] > there:
            return CommandResponse(**told, success=False, code="conflict", data={"written": there})
        self.read += payload.get("data", b"")[there - payload["at"] :]
        there = max(there, payload["at"] + len(payload.get("data", b"")))
        self.counts[payload["channel"]] = there
        self.ends += payload.get("eof", False)
        return CommandResponse(**told, success=True, data={"written": there})


async def test_each_byte_comes_once_and_in_order_over_a_bad_line() -> None:
    program = Program(loses=0.4)
    said = b"".join(b"%d " % number for number in range(2000))
    for first in range(0, len(said), 37):
        program.keys.type(said[first : first + 37])
        await asyncio.to_thread(os.sched_yield)
    await program.keys.typed()
    assert bytes(program.read) == said
    assert not program.keys.is_waiting


async def test_what_the_runner_has_not_confirmed_waits() -> None:
    program = Program()
    program.may_answer.clear()
    program.keys.type(b"hello")
    await program.was_asked.wait()
    assert program.keys.waiting == 5
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(program.keys.typed(), 0.01)
    program.may_answer.set()
    await program.keys.typed()
    assert program.keys.waiting == 0


async def test_a_runner_that_has_forgotten_gets_only_what_it_never_confirmed() -> None:
    program = Program()
    program.keys.type(b"first ")
    await program.keys.typed()
    program.counts.clear()
    program.keys.type(b"second")
    await program.keys.typed()
    assert bytes(program.read) == b"first second"


async def test_an_agent_that_reads_nothing_holds_back_who_types() -> None:
    program = Program()
    program.may_answer.clear()
    program.keys.type(bytes(1024 * 1024))
    assert program.keys.is_behind
    with pytest.raises(LimitReached):
        program.keys.type(b"x")
    program.keys.close()


async def test_who_may_not_type_is_told_and_nobody_waits_for_ever() -> None:
    program = Program()
    program.refusal = Refused("the agent's program reads its input no more")
    program.keys.type(b"x")
    with pytest.raises(Refused, match="no more"):
        await program.keys.typed()
    with pytest.raises(Refused):
        program.keys.type(b"y")


async def test_the_end_comes_behind_what_was_typed() -> None:
    program = Program(has_terminal=False, loses=0.3)
    program.keys.type(b"all of it")
    program.keys.end()
    program.keys.end()
    await program.keys.typed()
    assert bytes(program.read) == b"all of it"
    assert program.ends >= 1
    with pytest.raises(Refused, match="has ended"):
        program.keys.type(b"more")


async def test_a_terminal_may_be_told_of_an_end_twice() -> None:
    program = Program()
    for _ in range(2):
        program.keys.end()
        await program.keys.typed()
    program.keys.type(b"and on")
    await program.keys.typed()
    assert (program.ends, bytes(program.read)) == (2, b"and on")


async def test_who_gives_way_knows_what_was_taken() -> None:
    program = Program()
    program.may_answer.clear()
    program.keys.type(b"under way")
    await program.was_asked.wait()
    program.keys.type(b" and behind it")
    halting = asyncio.create_task(program.keys.halt())
    await asyncio.to_thread(os.sched_yield)
    program.may_answer.set()
    await halting
    assert bytes(program.read) == b"under way"
    assert program.keys.waiting == len(b" and behind it")
    program.keys.close()


async def test_what_is_typed_to_one_who_gives_way_is_not_told_as_taken() -> None:
    """It was once: a key that came between the last word to the runner and the last one to who types was lost."""
    program = Program()
    await program.keys.halt()
    program.keys.type(b"late")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(program.keys.typed(), 0.05)
    assert program.keys.waiting == 4
    program.keys.close()
