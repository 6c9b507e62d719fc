"""The floor of the bus: a bare blocking ROUTER that forwards by name, and a bare DEALER that answers.

`python -m tests.bench.bare_bus router plain|curve` prints its endpoint and key; `… echo ENDPOINT KEY` answers what it
is sent with the same, or, asked with `more N BYTES`, with so many pieces.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

import zmq

PLAIN = "-"


def main(words: list[str]) -> None:
    """Run until killed."""
    if words[0] == "router":
        forward(is_curve=words[1] == "curve")
    else:
        answer(connected(words[1], words[2], b"echo"))


def forward(*, is_curve: bool) -> None:
    """Hand each message on, with its sender's name."""
    socket, key = zmq.Context().socket(zmq.ROUTER), PLAIN
    socket.sndhwm = socket.rcvhwm = 10_000
    if is_curve:
        public, secret = zmq.curve_keypair()
        socket.curve_server, socket.curve_publickey, socket.curve_secretkey = True, public, secret
        key = public.decode()
    port = socket.bind_to_random_port("tcp://127.0.0.1")
    print(f"tcp://127.0.0.1:{port}", key, flush=True)
    while True:
        sender, to, body = socket.recv_multipart(copy=False)
        socket.send_multipart([to, sender, body], copy=False)


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
    socket.setsockopt(zmq.ROUTING_ID, name)
    if key != PLAIN:
        socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
        socket.curve_serverkey = key.encode()
    socket.connect(endpoint)
    return socket


@contextlib.contextmanager
def bare_bus(kind: str) -> Iterator[zmq.Socket[bytes]]:
    """Give a DEALER, at whose other end `echo` answers."""
    with contextlib.ExitStack() as stack:
        endpoint, key = _begun(stack, "router", kind).split()
        _begun(stack, "echo", endpoint, key)
        socket = stack.enter_context(connected(endpoint, key, b"probe"))
        socket.send_multipart([b"echo", b"are you there"])
        socket.recv_multipart()
        yield socket


def _begun(stack: contextlib.ExitStack, *words: str) -> str:
    process = stack.enter_context(
        subprocess.Popen([sys.executable, "-m", "tests.bench.bare_bus", *words], stdout=subprocess.PIPE, text=True)
    )
    stack.callback(process.kill)
    assert process.stdout is not None
    return process.stdout.readline()


if __name__ == "__main__":
    main(sys.argv[1:])
