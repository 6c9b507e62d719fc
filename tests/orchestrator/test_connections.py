"""A call is answered once, whatever goes wrong."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from descartes_core.errors import DescartesError, Refused
from descartes_core.jsonrpc import Call, request
from descartes_orchestrator.supervisor.connections import Answer, Peer
from descartes_orchestrator.supervisor.loop import Loop


class Room:
    """Where one comes in whose calls are answered and fail, or fail only."""

    def take(self, call: Call, answer: Answer) -> None:
        if call.method == "answered":
            answer.give("well")
        if call.method == "refused":
            raise Refused("not now")
        raise ZeroDivisionError("a fault in the supervisor")

    def heard(self, peer: Peer) -> None: ...

    def check_held(self) -> None: ...

    def leave(self, peer: Peer) -> None: ...


@pytest.fixture
def loop() -> Iterator[Loop]:
    found = Loop()
    yield found
    found.close()


def answers(loop: Loop, *methods: str) -> tuple[list[dict[str, Any]], int]:
    """Return what is answered to these calls, and how many answers are owed then."""
    ours, theirs = socket.socketpair()
    with theirs:
        peer = Peer(loop, ours, Room())
        theirs.sendall(b"".join(request(method, {}, number) for number, method in enumerate(methods)))
        loop.run(loop.stop)
        owed = peer.owed
        peer.close()
        return [json.loads(line) for line in theirs.makefile()], owed


def test_a_fault_after_the_answer_is_no_second_one(loop: Loop) -> None:
    """Who is owed less than nothing would hinder every renewal."""
    told, owed = answers(loop, "answered", "failed", "refused")
    assert [one.get("result") for one in told] == ["well", None, None]
    assert [one["error"]["data"]["code"] for one in told[1:]] == [DescartesError.code, Refused.code]
    assert owed == 0
