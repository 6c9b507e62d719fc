"""How soon `/health` answers others, while one agent floods or a thousand strangers say nothing."""

from __future__ import annotations

import contextlib
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from tests.bench.figures import Figure, median
from tests.bench.flood import flood
from tests.bench.ground import Ground, running_session

#: Few enough a second to be no flood of their own.
ROUNDS, PAUSE = 300, 0.01
SILENT, FLOOD_MEGABYTES = 1000, 2000
GOAL = "p95 < 20 ms under a flood, < 50 ms beside a thousand silent"


def measure() -> list[Figure]:
    """Ask in turn with a bare Protocol of the same machine, under the same load."""
    with running_session() as ground:
        port = int(ground.daemon.http_endpoint.rpartition(":")[2])
        length = len(_ask(port).partition(b"\r\n\r\n")[2])
        with _floor(length) as floor:
            quiet = _figure("/health", port, floor)
            with _flooded(ground):
                loud = _figure("/health while an agent floods", port, floor)
            with _silent(port):
                crowded = _figure(f"/health beside {SILENT} connections that say nothing", port, floor)
    return [quiet, loud, crowded]


def _figure(what: str, port: int, floor: int) -> Figure:
    ours, bare = [], []
    for _ in range(ROUNDS):
        for where, times in ((port, ours), (floor, bare)):
            begin = time.perf_counter()
            answer = _ask(where)
            times.append(time.perf_counter() - begin)
            assert answer.startswith(b"HTTP/1.1 200"), answer[:100]
        time.sleep(PAUSE)
    verdict = f"{median(ours) / median(bare):.1f} × (median)"
    return Figure(what, _p95(ours), f"bare Protocol {_p95(bare)}", GOAL, verdict)


def _ask(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        head = f"GET /health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())
        answer = b""
        while more := connection.recv(65_536):
            answer += more
        return answer


def _p95(times: list[float]) -> str:
    return f"{median(times) * 1e3:.2f} ms, p95 {statistics.quantiles(times, n=20)[-1] * 1e3:.2f} ms"


@contextlib.contextmanager
def _floor(length: int) -> Iterator[int]:
    command = [sys.executable, "-m", "tests.bench.http_floor", str(length)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.kill()


@contextlib.contextmanager
def _flooded(ground: Ground) -> Iterator[None]:
    with ground.connect() as connection:
        agent = ground.spawn(connection, flood(FLOOD_MEGABYTES))
        try:
            yield
        finally:
            connection.call("agent.kill", {"agent_id": agent})


@contextlib.contextmanager
def _silent(port: int) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for _ in range(SILENT):
            stack.enter_context(contextlib.closing(socket.create_connection(("127.0.0.1", port), timeout=10)))
        yield
