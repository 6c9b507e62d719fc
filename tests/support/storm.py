"""Work on a session while its daemon is killed again and again."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from descartes_core.errors import DaemonUnreachable, DescartesError, NeverSpawned
from descartes_core.ids import new_id
from descartes_local.home import Home
from descartes_local.processes import process_of
from descartes_local.rpc_client import Connection
from descartes_local.run_file import RunFile, read_run_file
from tests.support.programs import agent

#: A daemon is back far sooner; a machine under load takes longer.
PATIENCE = 60.0


def run_of(home: Home, session_id: str) -> RunFile:
    """Return the run file of a session that is served."""
    found = read_run_file(home.run_file(session_id))
    assert found is not None, "the session has no run file"
    return found


def ask(path: str, method: str, params: dict[str, Any]) -> Any:
    """Call, and repeat the very same request as long as daemons die under it."""
    ends = time.monotonic() + PATIENCE
    while True:
        with suppress(DaemonUnreachable), Connection(path, timeout=PATIENCE) as connection:
            return connection.call(method, params)
        assert time.monotonic() < ends, f"{method} was never answered"


class Killer(threading.Thread):
    """Kills the session's daemon at random moments after it was found serving."""

    def __init__(self, home: Home, session_id: str, times: int, dice: random.Random) -> None:
        super().__init__(name="killer")
        self._home, self._session_id, self._times, self._dice = home, session_id, times, dice
        self.killed: list[int] = []
        self.over = threading.Event()

    def run(self) -> None:
        """Kill that often."""
        try:
            for _ in range(self._times):
                run = self._next()
                # A random moment is what is wanted here; nothing waits for it.
                threading.Event().wait(self._dice.uniform(0.0, 0.6))
                if process_of(run.pid) == run.process:
                    os.kill(run.pid, signal.SIGKILL)
                    self.killed.append(run.pid)
        finally:
            self.over.set()

    def _next(self) -> RunFile:
        """Wait until a daemon that was not killed yet answers."""
        while True:
            ask(run_of(self._home, self._session_id).socket, "session.info", {})
            run = run_of(self._home, self._session_id)
            if run.pid not in self.killed and run.is_alive:
                return run


class Knocker(threading.Thread):
    """Asks /health all the time: it may be slow or cut off, never refused."""

    def __init__(self, port: int, pause: float = 0.01) -> None:
        super().__init__(name="knocker")
        self._port, self._pause = port, pause
        self.answers = self.cut = 0
        self.refused: list[str] = []
        self.stopped = threading.Event()

    def run(self) -> None:
        """Knock until it is stopped."""
        while not self.stopped.wait(self._pause):
            try:
                self._knock()
            except ConnectionRefusedError as error:
                self.refused.append(str(error))
            except OSError:
                self.cut += 1

    def _knock(self) -> None:
        with socket.create_connection(("127.0.0.1", self._port), timeout=PATIENCE) as connection:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost:%d\r\nConnection: close\r\n\r\n" % self._port)
            answer = connection.makefile("rb").read()
            self.answers += answer.startswith(b"HTTP/1.1 200")


@dataclass
class Hand:
    """One agent after the other, for as long as the storm lasts, and what is to be true of each."""

    home: Home
    session_id: str
    directory: Path
    dice: random.Random
    over: threading.Event
    spawned: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: What was typed and confirmed, by agent.
    confirmed: dict[str, list[str]] = field(default_factory=dict)
    never_spawned: int = 0

    def work(self) -> None:
        """Spawn, type, wait, check; again."""
        while not self.over.is_set():
            self._flood() if self.dice.random() < 0.6 else self._typed()

    def _ask(self, method: str, params: dict[str, Any]) -> Any:
        return ask(run_of(self.home, self.session_id).socket, method, params)

    def _spawn(self, command: Sequence[str], code: int) -> str | None:
        identity = new_id()
        params = {"agent_id": identity, "request_id": new_id(), "command": list(command), "cwd": str(self.directory)}
        try:
            told = self._ask("agent.spawn", {**params, "tty": self.dice.random() < 0.6})["agent"]
        except NeverSpawned:
            self.never_spawned += 1
            return None
        # Said at once where it is so: it may be lost with this daemon.
        self.spawned[identity] = {"code": code, "is_kept": "not in keeping" not in str(told["notice"])}
        return identity

    def _flood(self) -> None:
        code = self.dice.randrange(0, 100)
        told = self.directory / f"told-{new_id()}"
        lines = self.dice.randrange(1, 60_000)
        if (identity := self._spawn(agent("loud", lines, "--checksum", told, "--code", code), code)) is not None:
            self.spawned[identity]["told"] = told
            self._wait(identity)

    def _typed(self) -> None:
        code = self.dice.randrange(0, 100)
        if (identity := self._spawn(agent("echoer"), code)) is None:
            return
        self.confirmed[identity] = []
        for number in range(self.dice.randrange(1, 6)):
            word = f"word-{number}-{identity}"
            with suppress(DescartesError):
                params = {"agent_id": identity, "request_id": new_id(), "text": f"{word}\n"}
                self._ask("agent.write", params)
                self.confirmed[identity].append(word)
        # An unknown outcome must not be repeated blindly, so the end is asked for until it has come.
        while not self._wait(identity, 5.0):
            with suppress(DescartesError):
                self._ask("agent.write", {"agent_id": identity, "request_id": new_id(), "text": f"exit {code}\n"})

    def _wait(self, identity: str, timeout: float = PATIENCE) -> bool:
        """Wait for an end; typed agents are told to end only after the first look."""
        if identity in self.confirmed:
            with suppress(DescartesError):
                code = self.spawned[identity]["code"]
                self._ask("agent.write", {"agent_id": identity, "request_id": new_id(), "text": f"exit {code}\n"})
        waited: dict[str, Any] = self._ask("agent.wait", {"agent_id": identity, "timeout": timeout})
        return bool(waited["ended"])


def complaints(hands: Sequence[Hand], agents: dict[str, dict[str, Any]], logs: Path) -> list[str]:
    """Return what is not as it must be after the storm."""
    found: list[str] = []
    for hand in hands:
        for identity, wanted in hand.spawned.items():
            told = agents.get(identity)
            if told is None:
                found.append(f"{identity} was acknowledged and is unknown")
            elif not wanted["is_kept"] and told["exit_code"] is None:
                continue
            elif told["exit_code"] != wanted["code"]:
                found.append(f"{identity} ended with {told['exit_code']}, {told['signal']}, not {wanted['code']}")
            log = (logs / identity / "output.log").read_bytes()
            if "told" in wanted and not wanted["told"].exists():
                found.append(f"{identity} was ended in what it said: {told['status']}, {told['signal']}")
            elif "told" in wanted:
                right = json.loads(wanted["told"].read_text())
                if (len(log), hashlib.sha256(log).hexdigest()) != (right["bytes"], right["sha256"]):
                    found.append(f"{identity} said {right['bytes']} bytes, {len(log)} are kept")
            heard = {word: log.count(f"heard: {word}".encode()) for word in hand.confirmed.get(identity, [])}
            found += [f"{identity} heard {word} {count} times" for word, count in heard.items() if count != 1]
    return found
