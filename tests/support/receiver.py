"""A web server that takes events, or does with them what the internet does."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from descartes_daemon.hooks.letter import signature


@dataclass(frozen=True, slots=True)
class Taken:
    """One request, as it came."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        """What was told."""
        told: dict[str, Any] = json.loads(self.body)
        return told

    @property
    def delivery(self) -> str:
        """By what a repeat is known."""
        return self.headers["x-descartes-delivery"]

    def is_signed_by(self, secret: str) -> bool:
        """Whether the signature is right."""
        at = int(self.headers["x-descartes-timestamp"])
        return self.headers["x-descartes-signature"] == signature(secret, at, self.body)


#: Answers one request on its connection.
Answer = Callable[[socket.socket], None]


def status(code: int, *headers: str, body: bytes = b"") -> Answer:
    """Return what answers with a status."""
    lines = [f"HTTP/1.1 {code} x", f"Content-Length: {len(body)}", *headers]
    return lambda connection: connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def says(data: bytes) -> Answer:
    """Return what answers with these bytes."""
    return lambda connection: connection.sendall(data)


def hangs(connection: socket.socket) -> None:
    """Say nothing until the client goes."""
    while connection.recv(65_536):
        pass


def floods(connection: socket.socket) -> None:
    """Say that it was taken, and then never stop."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(bytes(65_536))


def closes(connection: socket.socket) -> None:
    """Go without a word."""


class Receiver:
    """Listens, takes requests one by one, remembers them, and answers: by its script, then as it usually does."""

    def __init__(self, *script: Answer, usual: Answer | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.script: list[Answer] = list(script)
        self.usual = usual or status(200)
        self.taken: list[Taken] = []
        self._tls = tls
        self._changed = threading.Condition()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, name="receiver", daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self._tls else 'http'}://localhost:{self.port}/told"

    def until(self, fits: Callable[[Sequence[Taken]], bool], deadline: float = 30.0) -> list[Taken]:
        """Wait until what was taken fits, and return it."""
        with self._changed:
            there = self._changed.wait_for(lambda: fits(self.taken), deadline)
            assert there, f"not told in time; of {[(one.delivery, one.event['event_type']) for one in self.taken]}"
            return list(self.taken)

    def count(self, number: int, deadline: float = 30.0) -> list[Taken]:
        """Wait for so many requests."""
        return self.until(lambda taken: len(taken) >= number, deadline)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), name="receiving", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        self._open.add(connection)
        # A client may be killed before it has said anything, or all.
        with contextlib.suppress(OSError, ValueError, KeyError), contextlib.ExitStack() as stack:
            stack.callback(self._open.discard, connection)
            stack.callback(connection.close)
            if self._tls:
                connection = stack.enter_context(self._tls.wrap_socket(connection, server_side=True))
            taken = _read(connection)
            with self._changed:
                self.taken.append(taken)
                answer = self.script.pop(0) if self.script else self.usual
                self._changed.notify_all()
            answer(connection)

    def close(self) -> None:
        """Listen no more, and let all go."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _read(connection: socket.socket) -> Taken:
    with connection.makefile("rb") as file:
        line = file.readline().decode().strip()
        headers: dict[str, str] = {}
        while text := file.readline().decode().strip():
            name, _, value = text.partition(": ")
            headers[name.lower()] = value
        return Taken(line, headers, file.read(int(headers["content-length"])))


@contextlib.contextmanager
def certificate(directory: Path) -> Iterator[tuple[Path, ssl.SSLContext]]:
    """Give a certificate for localhost that signs itself, and what serves with it."""
    import subprocess

    file = directory / "localhost.pem"
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    words += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(file), "-out", str(file)]
    subprocess.run(["openssl", *words], check=True, capture_output=True)
    text = file.read_text()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    assert "BEGIN" in text
    yield file, context
