"""What was in keeping is taken once, and endings are asked of the supervisor."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from descartes_daemon.keeping import Keeping
from descartes_daemon.notify import Notifier
from descartes_local.endings import UNKNOWN, Ending
from descartes_local.processes import Process
from tests.support.leftovers import open_now

SOMEBODY = Process(123, 456)


@contextmanager
def supervisor(directory: Path, answer: dict[str, Any]) -> Iterator[tuple[Keeping, list[dict[str, Any]]]]:
    """Answer one call, and remember it."""
    asked: list[dict[str, Any]] = []
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(directory / "supervisor"))
    listening.listen()

    def serve() -> None:
        connection, _ = listening.accept()
        with connection, connection.makefile("rb") as lines:
            asked.append(json.loads(lines.readline()))
            connection.sendall(json.dumps({"jsonrpc": "2.0", "id": asked[0]["id"], **answer}).encode() + b"\n")

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield Keeping(Notifier(None), str(directory / "supervisor"), {}), asked
    finally:
        thread.join()
        listening.close()


def status(**more: Any) -> dict[str, Any]:
    return {"result": {"ended": True, "known": True, "exit_code": None, "signal": None, **more}}


def test_an_exit_code_is_asked_of_the_parent(short: Path) -> None:
    with supervisor(short, status(exit_code=7)) as (keeping, asked):
        assert keeping.ask_ending(SOMEBODY) == Ending(7, None)
    assert (asked[0]["method"], asked[0]["params"]) == ("exit_status", {"pid": 123, "started": 456})


def test_a_signal_is_told_by_name(short: Path) -> None:
    with supervisor(short, status(signal="SIGKILL")) as (keeping, _):
        assert keeping.ask_ending(SOMEBODY) == Ending(None, "SIGKILL")


def test_who_still_runs_has_no_ending(short: Path) -> None:
    with supervisor(short, status(ended=False, known=False)) as (keeping, _):
        assert keeping.ask_ending(SOMEBODY) is None


def test_what_nobody_knows_is_unknown_and_never_zero(short: Path) -> None:
    with supervisor(short, status(known=False)) as (keeping, _):
        assert keeping.ask_ending(SOMEBODY) == UNKNOWN
    assert Keeping(Notifier(None), str(short / "nobody"), {}).ask_ending(SOMEBODY) == UNKNOWN
    assert Keeping(Notifier(None), None, {}).ask_ending(SOMEBODY) == UNKNOWN


def test_a_refusal_is_no_ending(short: Path) -> None:
    error = {"error": {"code": -32601, "message": "no", "data": {"code": "method_not_found"}}}
    with supervisor(short, error) as (keeping, _):
        assert keeping.ask_ending(SOMEBODY) == UNKNOWN


def test_that_an_ending_is_stored_is_told(short: Path) -> None:
    with supervisor(short, {"result": {}}) as (keeping, asked):
        keeping.tell_committed(SOMEBODY)
    assert asked[0]["method"] == "committed"


def test_orphans_are_asked_for_by_session(short: Path) -> None:
    found = {"result": {"processes": [{"pid": 123, "started": 456, "command": "lost"}]}}
    with supervisor(short, found) as (keeping, asked):
        assert keeping.orphans("a-session") == [(SOMEBODY, "lost")]
    assert asked[0]["params"] == {"session_id": "a-session"}


def test_what_nobody_takes_is_closed(caplog: pytest.LogCaptureFixture) -> None:
    """A third port would let callers wait for ever."""
    third = socket.create_server(("127.0.0.1", 0))
    keeping = Keeping(Notifier(None), None, {"http": 3, "unknown-2": third.detach()})
    assert keeping.take("http") == 3
    before = open_now()
    keeping.close_rest()
    assert len(set(before) - set(open_now())) == 1
    assert "unknown-2" in caplog.text
    keeping.close_rest()


def test_what_was_kept_is_taken_once() -> None:
    keeping = Keeping(Notifier(None), None, {"http": 3, "agent-a-master": 4, "agent-a-pid": 5, "agent-b-out": 6})
    assert keeping.kept_agents() == {"a", "b"}
    assert keeping.take("agent-b-out") == 6
    assert keeping.take("agent-b-out") is None
    assert keeping.kept_agents() == {"a"}
    assert not keeping.has_keeper
