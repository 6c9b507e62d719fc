"""From nothing to READY=1."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

from tests.bench.figures import Figure, interleaved, median, ms
from tests.bench.ground import fresh_home
from tests.support.person import Person

ROUNDS = 10
LIBRARIES = "import asyncio, uvicorn, starlette.applications, websockets, pydantic, pydantic_settings, aiosqlite"


def measure() -> list[Figure]:
    """Start a daemon alone beside a bare interpreter and the import of its libraries."""
    with fresh_home() as somebody:
        somebody.workspace()
        ready, bare, libraries = interleaved(
            ROUNDS,
            lambda: _start(somebody),
            lambda: subprocess.run([sys.executable, "-c", "pass"], check=True),
            lambda: subprocess.run([sys.executable, "-c", LIBRARIES], check=True),
        )
    # The end of the daemon is in the time of a round: what counts is what `_start` saw.
    ready = _TAKEN[-ROUNDS:]
    return [
        Figure(
            "cold start of a daemon, exec to `READY=1`",
            ms(ready),
            f"bare interpreter {ms(bare)}, its libraries' imports {ms(libraries)}",
            "≤ 0.6 s",
            f"{median(ready) / median(libraries):.2f} × the imports",
        )
    ]


_TAKEN: list[float] = []


def _start(somebody: Person) -> None:
    http, ws = _free_ports()
    workspace = somebody.directory / "projects" / "shop"
    with _notify_socket(somebody) as notify:
        begin = time.perf_counter()
        words = ("--http-port", http, "--ws-port", ws, "--workdir", workspace)
        with somebody.start(*words, command="descartes-daemon", stderr=subprocess.DEVNULL) as daemon:
            try:
                _wait_ready(notify)
                _TAKEN.append(time.perf_counter() - begin)
            finally:
                daemon.terminate()


@contextlib.contextmanager
def _notify_socket(somebody: Person) -> Iterator[socket.socket]:
    path = somebody.directory / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(path))
        notify.settimeout(30)
        os.environ["NOTIFY_SOCKET"] = str(path)
        try:
            yield notify
        finally:
            del os.environ["NOTIFY_SOCKET"]
            path.unlink()


def _wait_ready(notify: socket.socket) -> None:
    said = b""
    while b"READY=1" not in said.split(b"\n"):
        said, descriptors, _, _ = socket.recv_fds(notify, 4096, 16)
        for descriptor in descriptors:
            os.close(descriptor)  # a barrier is answered so, and nothing is kept


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]
