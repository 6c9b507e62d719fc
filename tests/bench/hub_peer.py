"""One of two peers that speak through a ROUTER, for the bench of the hub.

`python -m tests.bench.hub_peer ROLE ENDPOINT HUB_KEY SECRET GREETING TO COUNT`: a `sink` acknowledges what comes,
a `source` sends so many messages, a `pinger` so many and waits for each; they print the seconds it took,
the pinger the median, times the count.
"""

from __future__ import annotations

import statistics
import sys
import time

import zmq

#: As in the figures of the original: a small control command.
BODY = b"x" * 182
#: On their way, at most, and acknowledged together.
WINDOW, STEP = 4000, 500


def main(role: str, endpoint: str, hub_key: str, secret: str, greeting: str, to: str, count: str) -> None:
    """Connect, greet, and do it."""
    socket = zmq.Context().socket(zmq.DEALER)
    socket.sndhwm = socket.rcvhwm = 10_000
    socket.curve_secretkey, socket.curve_publickey = secret.encode(), zmq.curve_public(secret.encode())
    socket.curve_serverkey = hub_key.encode()
    socket.connect(endpoint)
    socket.send(bytes.fromhex(greeting))
    socket.recv_multipart()
    print("ready", flush=True)
    if role == "sink":
        _acknowledge(socket)
    sys.stdin.readline()
    print((_send if role == "source" else _ping)(socket, to.encode(), int(count)), flush=True)


def _acknowledge(socket: zmq.Socket[bytes]) -> None:
    count = 0
    while True:
        sender, body = socket.recv_multipart()
        if len(body) == 1:
            socket.send_multipart([sender, body])
        elif len(body) == len(BODY):
            count += 1
            if count % STEP == 0:
                socket.send_multipart([sender, b"ack"])


def _send(socket: zmq.Socket[bytes], to: bytes, count: int) -> float:
    began = time.perf_counter()
    acknowledged = 0
    for number in range(count):
        while number - acknowledged >= WINDOW or socket.poll(0):
            acknowledged += STEP * (socket.recv_multipart()[-1] == b"ack")
        socket.send_multipart([to, BODY])
    while acknowledged < count:
        acknowledged += STEP * (socket.recv_multipart()[-1] == b"ack")
    return time.perf_counter() - began


def _ping(socket: zmq.Socket[bytes], to: bytes, count: int) -> float:
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        socket.send_multipart([to, b"p"])
        while socket.recv_multipart()[-1] != b"p":
            pass
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * count


if __name__ == "__main__":
    main(*sys.argv[1:])
