"""What an agent says, on a WebSocket: as fast as it is said, and as fast as it can be read back."""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

from tests.bench.figures import Figure, median
from tests.bench.flood import flood
from tests.bench.ground import Ground, pss_of, running_session

MEGABYTES, ROUNDS = 100, 5


def measure() -> list[Figure]:
    """Read a recorded log, and watch a flood, beside a bare `websockets` server that does the same."""
    with running_session() as ground, _bare() as port, ground.connect() as connection:
        recorded = ground.spawn(connection, flood(MEGABYTES))
        while not connection.call("agent.wait", {"agent_id": recorded})["ended"]:
            pass
        ours, pushed, live, bare = [], [], [], []
        for _ in range(ROUNDS):
            ours.append(_read(_port(ground), f"/agents/{recorded}/terminal?from=0&mode=ro", ground))
            pushed.append(_read(port, "/push", ground))
            watched = ground.spawn(connection, ["sh", "-c", f"read go; {flood(MEGABYTES)[2]}"])
            live.append(_read(_port(ground), f"/agents/{watched}/terminal?from=0", ground, key=b"\r"))
            bare.append(_read(port, "/show", ground))
        stalled = _stalled(ground)
    return [
        Figure(
            f"{MEGABYTES} MB of a log, to a WebSocket",
            f"{MEGABYTES / median(ours):.0f} MB/s",
            f"bare `websockets`, 64 KiB messages from memory: {MEGABYTES / median(pushed):.0f} MB/s",
            "",
            f"{median(pushed) / median(ours):.2f} ×",
        ),
        Figure(
            f"{MEGABYTES} MB from a terminal, recorded and shown on a WebSocket",
            f"{MEGABYTES / median(live):.0f} MB/s",
            f"bare `websockets` that reads a terminal, unrecorded: {MEGABYTES / median(bare):.0f} MB/s",
            "",
            f"{median(bare) / median(live):.2f} ×",
        ),
        Figure(
            f"daemon's memory (PSS) with a watcher that takes nothing of {2 * MEGABYTES} MB",
            f"{stalled[1]:.1f} MB",
            f"{stalled[0]:.1f} MB before",
            "≤ 10 MB more",
            f"{stalled[1] - stalled[0]:+.1f} MB",
        ),
    ]


def _port(ground: Ground) -> int:
    return int(ground.daemon.ws_endpoint.rpartition(":")[2])


def _stalled(ground: Ground) -> tuple[float, float]:
    """Return the daemon's memory before and after a flood that one watcher does not read."""
    with ground.connect() as connection:
        agent = ground.spawn(connection, ["sh", "-c", f"read go; {flood(2 * MEGABYTES)[2]}"])
        before = pss_of(ground.daemon.pid)
        with _opened(_port(ground), f"/agents/{agent}/terminal?from=0", ground) as opened:
            opened.sendall(_frame(b"\r"))
            while not connection.call("agent.wait", {"agent_id": agent})["ended"]:
                pass
            return before, pss_of(ground.daemon.pid)


def _read(port: int, path: str, ground: Ground, *, key: bytes = b"") -> float:
    """Return how long it takes until so many bytes have come; they are not looked into."""
    begin = time.perf_counter()
    with _opened(port, path, ground) as opened:
        if key:
            opened.sendall(_frame(key))
        left, room = MEGABYTES * 1_000_000, bytearray(1 << 20)
        while left > 0:
            count = opened.recv_into(room)
            assert count, "closed before all had come"
            left -= count
    return time.perf_counter() - begin


@contextlib.contextmanager
def _opened(port: int, path: str, ground: Ground) -> Iterator[socket.socket]:
    token = (ground.person.home.path / "token").read_text().strip()
    key = base64.b64encode(os.urandom(16)).decode()
    head = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\nConnection: Upgrade\r\n"
        f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=120) as opened:
        opened.sendall(head.encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += opened.recv(1)
        assert b" 101 " in answer, answer
        yield opened


def _frame(payload: bytes) -> bytes:
    """Return a client's binary frame; its mask is zero."""
    return bytes([0x82, 0x80 | len(payload), 0, 0, 0, 0]) + payload


@contextlib.contextmanager
def _bare() -> Iterator[int]:
    command = [sys.executable, "-m", "tests.bench.bare_socket", str(MEGABYTES * 1_000_000), *flood(MEGABYTES)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.terminate()
