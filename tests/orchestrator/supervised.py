"""A supervisor of programs that speak a daemon's contract, and what a test asks of both."""

from __future__ import annotations

import os
import signal
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from descartes_core.ids import new_id
from descartes_local.home import Home
from descartes_local.processes import process_of, send_signal
from descartes_local.rpc_client import Connection
from descartes_local.supervisor_client import ensure
from tests.support.waiting import process_gone

SUPERVISOR = (sys.executable, "-P", str(Path(__file__).parent / "programs" / "supervisor.py"))


@dataclass
class Supervised:
    """One home's supervisor."""

    home: Home

    def connect(self) -> Connection:
        """Reach it, or start it."""
        return ensure(self.home, command=SUPERVISOR)

    def call(self, method: str, params: dict[str, Any] | None = None) -> Any:
        """Ask it one thing."""
        with self.connect() as connection:
            return connection.call(method, params)

    def configure(self, **numbers: float) -> None:
        """Write the numbers of its configuration."""
        self.home.make()
        lines = "".join(f"{name} = {value}\n" for name, value in numbers.items())
        (self.home.path / "config.toml").write_text(f"[supervisor]\n{lines}")

    def session(self, manner: str = "", **more: Any) -> Speaking:
        """Start a session."""
        speaking = Speaking(self, new_id(), manner)
        speaking.start(**more)
        return speaking

    def entry(self, identity: str) -> dict[str, Any]:
        """Return what `list` tells of a session."""
        return next((entry for entry in self.call("list")["sessions"] if entry["id"] == identity), {})


@dataclass
class Speaking:
    """One session, whose daemon is a speaker."""

    supervised: Supervised
    id: str
    manner: str = ""
    where: dict[str, Any] = field(default_factory=dict)

    def start(self, **more: Any) -> dict[str, Any]:
        """Start it."""
        environment = {"DESCARTES_TEST_MANNER": self.manner}
        request = {"id": self.id, "name": "shop", "path": str(self.supervised.home.path), "ports": None}
        self.where = self.supervised.call("start", {**request, "config": None, "env": environment, **more})
        return self.where

    def stop(self, grace: float = 5.0) -> None:
        """Stop it."""
        assert self.supervised.call("stop", {"id": self.id, "grace": grace}) == {}

    @property
    def port(self) -> int:
        """Where the speaker listens."""
        return int(self.where["http_endpoint"].rpartition(":")[2])

    def say(self, *words: object) -> str:
        """Tell the speaker to do something and return what it answers, nothing when it dies of it."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall(("\t".join(map(str, words)) + "\n").encode())
            answer = b""
            try:
                while piece := connection.recv(65_536):
                    answer += piece
            except ConnectionResetError:
                return ""
            return answer.decode()

    def kill(self) -> int:
        """Kill the speaker and return its pid, once the next one answers."""
        pid = int(self.say("pid"))
        process = process_of(pid)
        assert process is not None
        send_signal(process, signal.SIGKILL)
        process_gone(pid)
        return pid

    def end_alone(self) -> None:
        """End a speaker whose supervisor has gone, and remove what it left: it hands itself over to nobody."""
        assert int(self.say("pid")) == self.where["pid"]
        os.kill(self.where["pid"], signal.SIGKILL)
        process_gone(self.where["pid"])
        home = self.supervised.home
        for path in (home.daemon_socket(self.id), home.notify_socket(self.id)):
            path.unlink()
