"""Ask many daemons at once, under one deadline."""

from __future__ import annotations

import json
import selectors
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from descartes_core.errors import DaemonUnreachable, DeadlineOver, DescartesError
from descartes_core.jsonrpc import request, result_of
from descartes_local.peer import connect_to_ours

#: A daemon that was killed is back much sooner; one that takes longer is shown as it was stored.
DEADLINE = 2.0


class Question(NamedTuple):
    """One call to one Unix socket."""

    socket: str
    method: str
    params: Mapping[str, Any]


class _Asked:
    def __init__(self, key: str, rest: bytes, connection: socket.socket) -> None:
        self.key, self.rest, self.connection = key, rest, connection
        self.received: list[bytes] = []


def ask_all(
    questions: Mapping[str, Question],
    *,
    deadline: float = DEADLINE,
    on_silence: tuple[float, Callable[[str], object]] | None = None,
) -> dict[str, Any]:
    """Return each result, or the DescartesError why there is none, by the question's key.

    Args:
        questions: What to ask whom.
        deadline: The seconds for all of it.
        on_silence: What is told of each socket without an answer after so many seconds, and after twice as many again.

    """
    pause, tell = on_silence or (deadline, None)
    looks = time.monotonic() + pause
    answers: dict[str, Any] = {}
    ends = time.monotonic() + deadline
    with selectors.DefaultSelector() as selector:
        for key, question in questions.items():
            try:
                asked = _connect(key, question)
            except OSError as error:
                answers[key] = DaemonUnreachable(f"nobody listens at {question.socket}: {error.strerror or error}")
            else:
                selector.register(asked.connection, selectors.EVENT_READ | selectors.EVENT_WRITE, asked)
        try:
            while selector.get_map() and (left := ends - time.monotonic()) > 0:
                for event, ready in selector.select(min(left, max(0.0, looks - time.monotonic()))):
                    answer = _go_on(event.data, ready, selector)
                    if answer is not None:
                        selector.unregister(event.fileobj)
                        event.data.connection.close()
                        answers[event.data.key] = answer
                if tell is not None and time.monotonic() >= looks:
                    for path in {questions[each.data.key].socket for each in selector.get_map().values()}:
                        tell(path)
                    pause *= 2
                    looks = time.monotonic() + pause
        finally:
            for left_over in list(selector.get_map().values()):
                left_over.data.connection.close()
    for key in questions.keys() - answers.keys():
        answers[key] = DeadlineOver(f"no answer within {deadline:.0f} s")
    return answers


def answered(answers: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """Walk over those that are answers."""
    return ((key, answer) for key, answer in answers.items() if not isinstance(answer, DescartesError))


def _connect(key: str, question: Question) -> _Asked:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.setblocking(False)
    try:
        # A Unix socket connects at once or not at all (EAGAIN: its backlog is full).
        connect_to_ours(connection, question.socket)
    except OSError:
        connection.close()
        raise
    return _Asked(key, request(question.method, dict(question.params), 1), connection)


def _go_on(asked: _Asked, ready: int, selector: selectors.BaseSelector) -> Any:
    """Send or receive a piece; return the answer once it is there."""
    try:
        if asked.rest and ready & selectors.EVENT_WRITE:
            asked.rest = asked.rest[asked.connection.send(asked.rest) :]
            if not asked.rest:
                selector.modify(asked.connection, selectors.EVENT_READ, asked)
        if not ready & selectors.EVENT_READ:
            return None
        piece = asked.connection.recv(262_144)
        if not piece:
            return DaemonUnreachable("the daemon ended before it answered")
        asked.received.append(piece)
        return _read(b"".join(asked.received)) if piece.endswith(b"\n") else None
    except BlockingIOError:
        return None
    except (OSError, ValueError) as error:
        return DaemonUnreachable(f"the connection broke: {error}")


def _read(line: bytes) -> Any:
    try:
        return result_of(json.loads(line))
    except DescartesError as error:
        return error
