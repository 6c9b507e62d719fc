"""A call on an open Unix connection."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator

from descartes_core import jsonrpc
from tests.bench.figures import Figure, interleaved, median, us
from tests.bench.ground import Ground, running_session

ROUNDS = 3000
METHODS = ("system.health", "session.info", "agent.list")


def measure() -> list[Figure]:
    """Call small methods beside a bare Protocol that answers as many bytes."""
    with running_session() as ground:
        ground.fill(1)
        return [_one(ground, method) for method in METHODS]


def _one(ground: Ground, method: str) -> Figure:
    request = jsonrpc.request(method, {}, 1)
    with _connected(ground.daemon.socket) as daemon:
        length = len(_ask(daemon, request))
        with _echo(f"{ground.person.directory}/echo", length) as echo:
            ours, floor = interleaved(ROUNDS, lambda: _ask(daemon, request), lambda: _ask(echo, request))
    ratio = median(ours) / median(floor)
    return Figure(
        f"`{method}`, open Unix connection", us(ours), f"bare Protocol {us(floor)}", "≤ 1.5 ×", f"{ratio:.2f} ×"
    )


def _ask(connection: socket.socket, request: bytes) -> bytes:
    connection.sendall(request)
    answer = connection.recv(262_144)
    while not answer.endswith(b"\n"):
        answer += connection.recv(262_144)
    return answer


@contextlib.contextmanager
def _connected(path: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        yield connection


@contextlib.contextmanager
def _echo(path: str, length: int) -> Iterator[socket.socket]:
    command = [sys.executable, "-m", "tests.bench.echo", path, str(length)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        server.stdout.readline()
        try:
            with _connected(path) as connection:
                yield connection
        finally:
            server.kill()
