"""A real hub in a process of its own, and peers with real sockets."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import zmq

from descartes_core.bus.codec import decode, encode
from descartes_core.bus.invitation import read_token
from descartes_core.bus.messages import PROTOCOL_VERSION, Hello, Message, Role
from descartes_core.ids import HUB_ID
from descartes_local.bus_file import Keys
from descartes_local.home import Home
from descartes_local.rpc_client import call
from descartes_orchestrator.hub.joining import enroll, make_keys

#: Nobody waits for an answer longer than this.
DEADLINE = 15.0


class RunningHub:
    """`python -m descartes_orchestrator.hub` in a home of its own."""

    def __init__(self, home: Home, endpoint: str = "tcp://127.0.0.1:*", **configured: object) -> None:
        self.home, self._endpoint, self._configured = home, endpoint, configured
        self.process: subprocess.Popen[str] | None = None
        self.endpoint = self.key = ""
        self.start()

    def start(self) -> None:
        """Start it; the next one listens where the one before did."""
        names = {f"DESCARTES_HUB__{name.upper()}": str(value) for name, value in self._configured.items()}
        environment = {**os.environ, "DESCARTES_HOME": str(self.home.path), **names}
        environment["DESCARTES_HUB__ENDPOINT"] = self.endpoint or self._endpoint
        command = [sys.executable, "-P", "-m", "descartes_orchestrator.hub"]
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        said = ""
        while "listens at" not in said:
            said = process.stderr.readline()
            if not said:
                process.stderr.close()
                raise AssertionError(f"the hub ended with {process.wait()}")
        self.process = process
        status = self.ask("hub.status")
        self.endpoint, self.key = status["endpoint"], status["public_key"]

    def ask(self, method: str, **params: Any) -> Any:
        """Ask it at its Unix socket."""
        return call(self.home.daemon_socket(HUB_ID), method, params, timeout=DEADLINE)

    def token(self, role: Role, name: str = "", labels: Sequence[str] = (), ttl: float = 600.0) -> str:
        """Return a token that it has just made."""
        told = self.ask("hub.enroll", role=role, name=name, labels=list(labels), ttl=ttl, endpoint=self.endpoint)
        return str(told["token"])

    def enrolled(self, role: Role, name: str, labels: Sequence[str] = ()) -> Keys:
        """Return a fresh key that is enrolled."""
        keys = make_keys()
        enroll(self.token(role, name, labels), keys)
        return keys

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """End it; return its status and what it noted since."""
        assert self.process is not None
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=DEADLINE)
        return self.process.returncode, said

    def run_again(self) -> None:
        """Start it where it has ended."""
        if self.process is None or self.process.poll() is not None:
            self.start()

    def close(self) -> None:
        """End it, however it is."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.end()


class Dealer:
    """One socket of a peer: it sends and receives what it is told."""

    def __init__(self, hub: RunningHub, keys: Keys, kind: int = zmq.DEALER) -> None:
        self._context = zmq.Context()
        self.socket = self._context.socket(kind)
        self.socket.linger = 0
        self.socket.curve_publickey, self.socket.curve_secretkey = keys.public.encode(), keys.secret.encode()
        self.socket.curve_serverkey = hub.key.encode()
        self.refused = self.socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_AUTH)
        self.socket.connect(hub.endpoint)

    def send(self, message: Message | bytes, to: str = "") -> None:
        """Send a message, to the hub or to a peer."""
        body = message if isinstance(message, bytes) else encode(message)
        self.socket.send_multipart([to.encode(), body] if to else [body])

    def receive(self, timeout: float = DEADLINE) -> tuple[str, Any]:
        """Return who sent the next message, and the message."""
        assert self.socket.poll(int(timeout * 1000)), f"nothing came within {timeout:g} s"
        frames = self.socket.recv_multipart()
        return (frames[-2].decode() if len(frames) > 1 else ""), decode(frames[-1])

    def wait_for(self, kind: type[Message], timeout: float = DEADLINE) -> Any:
        """Return the next message of a kind; others are passed over."""
        while True:
            _, message = self.receive(timeout)
            if isinstance(message, kind):
                return message

    def hello(self, role: Role, name: str, *, generation: int = 1, **more: Any) -> Any:
        """Greet, and return the answer."""
        version = more.pop("protocol_version", PROTOCOL_VERSION)
        self.send(Hello(protocol_version=version, role=role, name=name, generation=generation, **more))
        return self.receive()[1]

    def close(self) -> None:
        """Leave without a word."""
        if not self.socket.closed:
            self.socket.disable_monitor()
        self._context.destroy(linger=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextlib.contextmanager
def running_hub(directory: Path, **configured: Any) -> Iterator[RunningHub]:
    """Give a hub."""
    hub = RunningHub(Home(directory / ".descartes"), **configured)
    try:
        yield hub
    finally:
        hub.close()


def invited(token: str) -> Keys:
    """Return the invitation's own keys."""
    secret = read_token(token).secret
    return Keys(zmq.curve_public(secret.encode()).decode(), secret)
