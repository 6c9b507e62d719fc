from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from descartes_core.errors import AgentsAlive, DaemonUnreachable, DeadlineOver
from descartes_core.jsonrpc import call_of, parse, refusal, reply
from descartes_local.rpc_client import Connection, call

#: Takes a connection and speaks the daemon's half.
Speak = Callable[[socket.socket], None]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[Speak], Path]]:
    """Give a server of one connection on a real socket."""
    path = tmp_path / "s"
    listener = socket.socket(socket.AF_UNIX)
    threads = []

    def start(speak: Speak) -> Path:
        listener.bind(str(path))
        listener.listen()

        def run() -> None:
            connection, _ = listener.accept()
            with connection:
                speak(connection)

        threads.append(threading.Thread(target=run))
        threads[0].start()
        return path

    yield start
    for thread in threads:
        thread.join()
    listener.close()


def line_of(connection: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        line += connection.recv(1)
    return line


def echo(connection: socket.socket) -> None:
    asked = call_of(parse(line_of(connection)))
    connection.sendall(reply(asked.id, {"method": asked.method, **asked.params}))


def test_a_call_is_answered(serve: Callable[[Speak], Path]) -> None:
    assert call(serve(echo), "system.health", {"a": 1}) == {"method": "system.health", "a": 1}


def test_calls_follow_one_another(serve: Callable[[Speak], Path]) -> None:
    def twice(connection: socket.socket) -> None:
        echo(connection)
        echo(connection)

    with Connection(serve(twice)) as connection:
        assert [connection.call("a")["method"], connection.call("b")["method"]] == ["a", "b"]


def test_an_answer_may_come_byte_by_byte_and_be_large(serve: Callable[[Speak], Path]) -> None:
    def slowly(connection: socket.socket) -> None:
        asked = call_of(parse(line_of(connection)))
        answer = reply(asked.id, "x" * 300_000)
        for at in range(100):
            connection.sendall(answer[at : at + 1])
        connection.sendall(answer[100:])

    assert call(serve(slowly), "m") == "x" * 300_000


def test_a_refusal_is_the_error_it_was(serve: Callable[[Speak], Path]) -> None:
    def refuse(connection: socket.socket) -> None:
        asked = call_of(parse(line_of(connection)))
        connection.sendall(refusal(asked.id, AgentsAlive("2 agents are alive")))

    with pytest.raises(AgentsAlive, match="2 agents are alive"):
        call(serve(refuse), "system.shutdown")


def test_nobody_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DaemonUnreachable, match="nobody listens at"):
        Connection(tmp_path / "gone")


@pytest.mark.parametrize("answer", [b"", b'{"id": 1', b"nonsense\n"])
def test_a_broken_answer_is_told(answer: bytes, serve: Callable[[Speak], Path]) -> None:
    def breaks(connection: socket.socket) -> None:
        line_of(connection)
        connection.sendall(answer)

    with pytest.raises(DaemonUnreachable, match=r"the connection broke during a\.b"):
        call(serve(breaks), "a.b")


def test_silence_ends_at_the_deadline(serve: Callable[[Speak], Path]) -> None:
    def silent(connection: socket.socket) -> None:
        line_of(connection)
        connection.recv(1)  # until the client goes

    with pytest.raises(DeadlineOver, match="no answer to m within"):
        call(serve(silent), "m", timeout=0.05)


def test_a_request_is_one_line_of_json_rpc(serve: Callable[[Speak], Path]) -> None:
    said = []

    def listen(connection: socket.socket) -> None:
        said.append(line_of(connection))
        connection.sendall(reply(1, None))

    call(serve(listen), "m", {"text": "a\nb"})
    assert json.loads(said[0]) == {"jsonrpc": "2.0", "id": 1, "method": "m", "params": {"text": "a\nb"}}
