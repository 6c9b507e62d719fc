"""A call is answered once, whatever goes wrong."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import DescartesError, Refused
from descartes_core.jsonrpc import Call, request
from descartes_orchestrator.supervisor import door
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


def test_the_lines_of_daemons_are_no_callers(loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand sessions once kept every command waiting for ever."""
    monkeypatch.setattr(door, "MOST", 3)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "door"))
    listener.listen()

    def kin(_: Call, answer: Answer) -> None:
        answer.asker.is_kin = True
        answer.give("kin")

    with contextlib.ExitStack() as stack:
        entrance = door.Door(loop, listener, kin)
        stack.callback(entrance.close)
        lines: list[socket.socket] = []

        def come() -> None:
            lines.append(stack.enter_context(socket.socket(socket.AF_UNIX)))
            lines[-1].connect(str(tmp_path / "door"))
            lines[-1].sendall(request("serving", {}, len(lines)))
            lines[-1].setblocking(False)

        def look() -> None:
            with contextlib.suppress(BlockingIOError):
                assert json.loads(lines[-1].recv(4096))["result"] == "kin"
                come() if len(lines) < 7 else loop.stop()

        come()
        loop.later(10.0, loop.stop)
        loop.run(look)
        assert len(entrance) == 7
