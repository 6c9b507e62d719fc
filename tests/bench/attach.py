"""Attaching: how long until the right screen is shown, and until a key comes back."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import socket
import subprocess
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from descartes_core.frames import FrameReader, bytes_frame
from descartes_core.jsonrpc import request
from tests.bench.figures import Figure, interleaved, median, ms, us
from tests.bench.ground import Ground, running_session
from tests.bench.terminals import start

ROUNDS, KEYS = 40, 300
_SHELL = ["sh", "-c", "stty -echo; printf 'a prompt> '; exec cat"]
#: A program that echoes what it reads, as full-screen programs do: the kernel's own echo would need none.
_ECHO = ["sh", "-c", "stty raw -echo; printf go; exec cat"]


class Attached:
    """An open terminal on the Unix socket."""

    def __init__(self, ground: Ground, agent: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(ground.daemon.socket)
        self._socket.sendall(request("agent.attach", {"agent_id": agent}, 1))
        self._frames = FrameReader()
        self._waiting: list[bytes | dict[str, Any]] = []
        line, _, rest = self._line().partition(b"\n")
        assert "result" in json.loads(line), line
        self._waiting += self._frames.feed(rest)

    def _line(self) -> bytes:
        received = b""
        while b"\n" not in received:
            received += self._socket.recv(65_536)
        return received

    def until(self, what: Callable[[bytes | dict[str, Any]], bool]) -> None:
        """Read up to a frame."""
        while True:
            while self._waiting:
                if what(self._waiting.pop(0)):
                    return
            self._waiting += self._frames.feed(self._socket.recv(65_536))

    def press(self) -> None:
        """Press a key, and see it."""
        self._socket.sendall(bytes_frame(b"k"))
        self.until(lambda frame: isinstance(frame, bytes) and b"k" in frame)

    def close(self) -> None:
        """Let go."""
        self._socket.close()


def measure() -> list[Figure]:
    """Attach beside a bare terminal and tmux."""
    with running_session() as ground, ground.connect() as connection, _tmux(ground) as in_tmux:
        quiet = ground.spawn(connection, _SHELL)
        echoing = ground.spawn(connection, _ECHO)
        for agent in (quiet, echoing):
            connection.call("agent.output", {"agent_id": agent, "wait": 10.0})
        screens = interleaved(ROUNDS, lambda: _show(ground, quiet), *([in_tmux.show] if in_tmux else []))
        attached, (pid, master, slave) = Attached(ground, echoing), start(_ECHO)
        with contextlib.closing(attached):
            attached.until(lambda frame: isinstance(frame, dict) and frame["type"] == "screen")
            assert os.read(master, 2) == b"go"
            echoes = interleaved(KEYS, attached.press, lambda: _press(master), *([in_tmux.press] if in_tmux else []))
        os.close(slave)
        os.close(master)
        os.waitpid(pid, 0)
    return [
        Figure(
            "attach: from the connection to the right screen",
            ms(screens[0]),
            f"tmux, from exec: {ms(screens[1])}" if in_tmux else "tmux is not installed",
            "≤ 10 ms",
            f"{median(screens[0]) * 1e3:.1f} ms",
        ),
        Figure(
            "attach: from a key to its echo",
            us(echoes[0]),
            f"bare terminal: {us(echoes[1])}" + (f"; tmux: {us(echoes[2])}" if in_tmux else ""),
            "≤ 300 µs, ≤ 3 × bare",
            f"{median(echoes[0]) / median(echoes[1]):.1f} × bare",
        ),
    ]


def _show(ground: Ground, agent: str) -> None:
    attached = Attached(ground, agent)
    attached.until(lambda frame: isinstance(frame, dict) and frame["type"] == "screen" and "a prompt>" in frame["vt"])
    attached.close()


def _press(master: int) -> None:
    os.write(master, b"k")
    while b"k" not in os.read(master, 65_536):
        pass


class Tmux:
    """The same in tmux: a client in a bare terminal."""

    def __init__(self, directory: Path) -> None:
        self._call = ["tmux", "-S", str(directory / "tmux"), "-f", "/dev/null"]
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm"}
        subprocess.run([*self._call, "new-session", "-d", "-s", "quiet", *_SHELL], check=True, env=environment)
        subprocess.run([*self._call, "new-session", "-d", "-s", "echo", *_ECHO], check=True, env=environment)
        self._client = start(["env", "TERM=xterm", *self._call, "attach", "-t", "echo"])
        tty.setraw(self._client[2])
        self._settle()

    def _settle(self) -> None:
        while select.select([self._client[1]], [], [], 0.5)[0]:
            os.read(self._client[1], 65_536)

    def show(self) -> None:
        """Attach until the prompt is painted."""
        pid, master, slave = start(["env", "TERM=xterm", *self._call, "attach", "-t", "quiet"])
        seen = b""
        while b"a prompt>" not in seen:
            seen += os.read(master, 65_536)
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(slave)
        os.close(master)

    def press(self) -> None:
        """Press a key, and see it."""
        _press(self._client[1])

    def close(self) -> None:
        """End it."""
        subprocess.run([*self._call, "kill-server"], check=False)
        os.close(self._client[1])
        os.close(self._client[2])
        os.waitpid(self._client[0], 0)


@contextlib.contextmanager
def _tmux(ground: Ground) -> Iterator[Tmux | None]:
    if shutil.which("tmux") is None:
        yield None
        return
    tmux = Tmux(ground.person.directory)
    try:
        yield tmux
    finally:
        tmux.close()
