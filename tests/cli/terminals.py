"""A person at a terminal, and a daemon played by the test, with the attached command between them."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from collections import deque
from pathlib import Path
from typing import Any, Self

from descartes_core.frames import FrameReader, bytes_frame, json_frame

DEADLINE = 10.0
AGENT = {"id": "0a0b0c0d-0000-4000-8000-000000000000", "name": "fixer"}

_RUN = """
import sys
from descartes_cli.attach import run_attached
from descartes_cli.running import run
import descartes_cli.verbs
import click
path, agent, how = sys.argv[1], {agent!r}, {{word: True for word in sys.argv[2:]}}
command = click.Command("x", callback=lambda: run_attached(path, agent, **how))
descartes_cli.verbs.descartes.verbs = {{"x": ("descartes_cli:x", "")}}
descartes_cli.x = command
sys.exit(run(["x"]))
"""


class Peer:
    """The daemon's end of one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        connection.settimeout(DEADLINE)
        self._reader = FrameReader()
        self._frames: deque[bytes | dict[str, Any]] = deque()
        self.request = json.loads(self._line())

    def _line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            line += self.connection.recv(1)
        return line

    def agree(self, *frames: bytes | dict[str, Any]) -> Self:
        """Answer the request, and send frames."""
        self.connection.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"agent": {}}}).encode() + b"\n")
        self.send(*frames)
        return self

    def refuse(self, code: str, message: str) -> None:
        """Answer with an error."""
        error = {"code": -32000, "message": message, "data": {"code": code, "status": 409}}
        self.connection.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "error": error}).encode() + b"\n")

    def answer(self, result: Any) -> None:
        """Answer with a result."""
        self.connection.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode() + b"\n")

    def send(self, *frames: bytes | dict[str, Any]) -> None:
        """Send frames."""
        for frame in frames:
            self.connection.sendall(bytes_frame(frame) if isinstance(frame, bytes) else json_frame(frame))

    def frame(self) -> bytes | dict[str, Any]:
        """Return the next frame."""
        while not self._frames:
            data = self.connection.recv(65_536)
            assert data, "the command closed the connection"
            self._frames.extend(self._reader.feed(data))
        return self._frames.popleft()

    def is_closed(self) -> bool:
        """Wait until the other side closes."""
        while data := self.connection.recv(65_536):
            self._frames.extend(self._reader.feed(data))
        return not self._frames


class Attached:
    """The command on a terminal of its own, and the socket where the test is the daemon."""

    def __init__(self, directory: Path, *words: str) -> None:
        self.path = directory / "d.sock"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen()
        self.listener.settimeout(DEADLINE)
        self.master, self.slave = pty.openpty()
        self.resize(24, 80)
        self.before = termios.tcgetattr(self.slave)
        self.written = b""
        code = _RUN.format(agent=AGENT)
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, str(self.path), *words],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        self.peers: list[Peer] = []

    def accept(self) -> Peer:
        """Take the command's next connection."""
        connection, _ = self.listener.accept()
        self.peers.append(Peer(connection))
        return self.peers[-1]

    def resize(self, rows: int, columns: int) -> None:
        """Give the window another size."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self.master, keys)

    def see(self, text: bytes) -> None:
        """Wait until the terminal has shown it."""
        ends = time.monotonic() + DEADLINE
        while text not in self.written:
            assert select.select([self.master], [], [], max(ends - time.monotonic(), 0))[0], (text, self.written)
            self.written += os.read(self.master, 65_536)

    def end(self) -> int:
        """Wait for the command's end and return its exit code; its terminal keeps being read."""
        ends = time.monotonic() + DEADLINE
        while self.process.poll() is None:
            assert time.monotonic() < ends, self.written
            if select.select([self.master], [], [], 0.02)[0]:
                self.written += os.read(self.master, 65_536)
        while select.select([self.master], [], [], 0)[0]:
            self.written += os.read(self.master, 65_536)
        return self.process.returncode

    @property
    def name(self) -> str:
        """What the terminal is called."""
        return os.ttyname(self.slave).removeprefix("/dev/")

    def is_as_before(self) -> bool:
        """Say whether the terminal is in its first mode."""
        return termios.tcgetattr(self.slave) == self.before

    def close(self) -> None:
        """Leave nothing behind."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
        for peer in self.peers:
            peer.connection.close()
        self.listener.close()
        os.close(self.master)
        os.close(self.slave)
