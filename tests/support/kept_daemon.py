"""A real daemon under a test keeper, and what a test asks of both."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from descartes_core.ids import new_id
from descartes_core.jsonrpc import request
from descartes_core.methods import METHODS
from descartes_local.processes import process_of
from descartes_local.rpc_client import Connection
from tests.support.house import ROOT
from tests.support.person import Person
from tests.support.programs import agent
from tests.support.waiting import process_gone

PATIENCE = 20.0


#: Which command starts and keeps a daemon: of this home, of this workspace, for this session.
Starter = Callable[[Path, Path, str], list[str]]


def keeper(home: Path, workspace: Path, session: str) -> list[str]:
    """Return the command of the small keeper, which speaks as the supervisor does."""
    return [sys.executable, "-m", "tests.support.keeper", str(home), str(workspace), session]


class KeptDaemon:
    """One session whose daemon is started again whenever it is killed."""

    def __init__(self, person: Person, starter: Starter) -> None:
        self.person, self.id = person, new_id()
        self.workspace = person.workspace()
        self.socket = person.home.daemon_socket(self.id)
        #: Whether the daemon has ended in order.
        self.is_over = False
        self._said: queue.Queue[str] = queue.Queue()
        words = starter(person.home.path, self.workspace, self.id)
        self.keeper = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._thread = threading.Thread(target=self._listen, name="keeper", daemon=True)
        self._thread.start()
        self.until("ready")

    def _listen(self) -> None:
        assert self.keeper.stdout is not None
        for line in self.keeper.stdout:
            self._said.put(line.strip())
        self._said.put("over")

    def until(self, word: str) -> str:
        """Return what follows this word, once the keeper says it."""
        while True:
            said = self._said.get(timeout=PATIENCE)
            self.is_over = self.is_over or said.startswith("kept")
            if said.partition(" ")[0] == word:
                return said.partition(" ")[2]
            assert said != "over", f"the keeper ended before {word}"

    def call(self, method: str, **params: Any) -> Any:
        """Call once; who calls while the daemon is down waits for the next one."""
        with Connection(self.socket, timeout=PATIENCE) as connection:
            result = connection.call(method, params)
        METHODS[method].reply.model_validate(result)
        return result

    def begin(self, method: str, **params: Any) -> Connection:
        """Send a call whose answer may never come."""
        connection = Connection(self.socket, timeout=PATIENCE)
        connection.socket.sendall(request(method, params, 1))
        return connection

    def spawn(self, command: list[str], **more: Any) -> dict[str, Any]:
        """Start a program and return its agent."""
        agent: dict[str, Any] = self.call("agent.spawn", command=command, **more)["agent"]
        return agent

    def get(self, identity: str) -> dict[str, Any]:
        """Return everything that is known of an agent."""
        agent: dict[str, Any] = self.call("agent.get", agent_id=identity)["agent"]
        return agent

    def ended(self, identity: str) -> dict[str, Any]:
        """Wait for an agent's end and return it."""
        waited = self.call("agent.wait", agent_id=identity, timeout=PATIENCE - 5)
        assert waited["ended"], waited
        agent: dict[str, Any] = waited["agent"]
        return agent

    def output(self, identity: str) -> bytes:
        """Return all that an agent has said."""
        said = b""
        while True:
            reply = self.call("agent.output", agent_id=identity, offset=len(said), limit=1 << 20)
            said += base64.b64decode(reply["data"])
            if len(said) >= reply["size"]:
                return said

    def until_said(self, identity: str, wanted: bytes) -> bytes:
        """Return an agent's output once this is in it."""
        while wanted not in (said := self.output(identity)):
            self.call("agent.output", agent_id=identity, offset=len(said), wait=5.0)
        return said

    @property
    def pid(self) -> int:
        """Who serves now."""
        pid: int = self.call("system.health")["pid"]
        return pid

    def kill(self, pid: int | None = None) -> int:
        """Kill the daemon; return when it is gone."""
        pid = pid or self.pid
        process = process_of(pid)
        assert process is not None
        os.kill(pid, signal.SIGKILL)
        process_gone(pid)
        return pid

    def close(self) -> None:
        """End the keeper, and everybody with it."""
        assert self.keeper.stdin is not None
        assert self.keeper.stdout is not None
        self.keeper.stdin.close()
        try:
            self.keeper.wait(PATIENCE)
        finally:
            self.keeper.kill()
            self._thread.join()
            self.keeper.stdout.close()


@contextlib.contextmanager
def kept_daemon(person: Person, starter: Starter = keeper) -> Iterator[KeptDaemon]:
    """Serve a fresh session of somebody, and end it in order."""
    kept = KeptDaemon(person, starter)
    try:
        yield kept
        if not kept.is_over:
            kept.call("system.shutdown", force=True, grace=0.2)
            kept.until("ended")
    finally:
        kept.close()


def assert_flood_outlives_kills(kept: KeptDaemon, place: Path) -> None:
    """Kill the daemon four times under a flood: the log has every byte once, and the exit code is right."""
    checksum, go = place / "checksum", place / "go"
    os.mkfifo(go)
    flood = " ".join(agent("loud", 100_000, "--checksum", checksum, "--code", 3))
    spawned = kept.spawn(["sh", "-c", f"echo ready; cat {go}; exec {flood}"])
    kept.until_said(spawned["id"], b"ready\r\n")
    go.write_text("")
    for _ in range(4):
        size = len(kept.output(spawned["id"]))
        kept.call("agent.output", agent_id=spawned["id"], offset=size, wait=5.0)
        kept.kill()
    assert kept.ended(spawned["id"])["exit_code"] == 3
    said = kept.output(spawned["id"]).removeprefix(b"ready\r\n")
    assert {"bytes": len(said), "sha256": hashlib.sha256(said).hexdigest()} == json.loads(checksum.read_text())
