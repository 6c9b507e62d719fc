"""The floor of the bus: a bare DEALER that answers another one through a bare ROUTER.

`python -m tests.bench.bare_bus ENDPOINT KEY` answers what it is sent with the same, or, asked with `more N BYTES`, with
so many pieces.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

import zmq

PLAIN = "-"


def answer(socket: zmq.Socket[bytes]) -> None:
    """Answer everything."""
    print("ready", flush=True)
    while True:
        sender, body = socket.recv_multipart()
        word, *numbers = body.split()
        if word != b"more":
            socket.send_multipart([sender, body])
            continue
        count, size = map(int, numbers)
        for _ in range(count):
            socket.send_multipart([sender, bytes(size)], copy=False)


def connected(endpoint: str, key: str, name: bytes) -> zmq.Socket[bytes]:
    """Return a DEALER of this name."""
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.linger, socket.sndhwm, socket.rcvhwm = 0, 10_000, 10_000
    if key != PLAIN:
        socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
        socket.curve_serverkey = key.encode()
    socket.connect(endpoint)
    socket.send(name)
    socket.recv_multipart()
    return socket


@contextlib.contextmanager
def bare_bus(kind: str) -> Iterator[zmq.Socket[bytes]]:
    """Give a DEALER, at whose other end `echo` answers."""
    with contextlib.ExitStack() as stack:
        endpoint, key = _begun(stack, "bare_router", kind).split()
        assert _begun(stack, "bare_bus", endpoint, key) == "ready\n"
        yield stack.enter_context(connected(endpoint, key, b"probe"))


def _begun(stack: contextlib.ExitStack, module: str, *words: str) -> str:
    command = [sys.executable, "-m", f"tests.bench.{module}", *words]
    process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    stack.callback(process.kill)
    assert process.stdout is not None
    return process.stdout.readline()


if __name__ == "__main__":
    answer(connected(sys.argv[1], sys.argv[2], b"echo"))
