"""Many runners in one process, each a link with a socket of its own: for the bench of a hub that has many.

`python -m tests.bench.hub_fleet ENDPOINT HUB_KEY FILE`: the file has a line NAME SECRET for each; it prints "all" when
all are connected.
"""

from __future__ import annotations

import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import zmq

from descartes_core.bus.link import Link, LinkState
from descartes_core.bus.messages import PROTOCOL_VERSION, Hello
from descartes_core.errors import ProtocolError

AGENTS = 100
#: Seconds between two looks at all of them.
_ROUND = 0.1


@dataclass(slots=True)
class _Runner:
    link: Link
    secret: bytes
    socket: zmq.Socket[bytes] | None = None


def main(endpoint: str, hub_key: str, file: str) -> None:
    """Run until killed."""
    context, poller = zmq.Context(), zmq.Poller()
    context.set(zmq.MAX_SOCKETS, 4000)
    runners = [_runner(*line.split()) for line in Path(file).read_text().splitlines()]
    by_socket: dict[zmq.Socket[bytes], _Runner] = {}
    is_told = False
    while True:
        now = time.monotonic()
        for runner in runners:
            link = runner.link
            if runner.socket is not None and link.state in (LinkState.RECONNECTING, LinkState.FAILED):
                poller.unregister(runner.socket)
                del by_socket[runner.socket]
                runner.socket.close(0)
                runner.socket = None
            if runner.socket is None and link.wants_socket is not None and link.wants_socket <= now:
                runner.socket = _socket(context, endpoint, hub_key, runner.secret)
                by_socket[runner.socket] = runner
                poller.register(runner.socket, zmq.POLLIN)
                link.opened(now)
            link.tick(now)
            _send(runner)
        ends = now + _ROUND
        while (left := ends - time.monotonic()) > 0:
            for socket, _ in poller.poll(int(left * 1000) + 1):
                _receive(by_socket[socket], socket)
        if not is_told and all(runner.link.state is LinkState.CONNECTED for runner in runners):
            is_told = True
            print("all", flush=True)


def _runner(name: str, secret: str) -> _Runner:
    hello = Hello(protocol_version=PROTOCOL_VERSION, role="runner", name=name, generation=1, capacity=2 * AGENTS)
    link = Link(hello, random=random.random)
    link.report(0.0, agents=AGENTS, load=0.5, is_draining=False)
    return _Runner(link, secret.encode())


def _socket(context: zmq.Context[zmq.Socket[bytes]], endpoint: str, hub_key: str, secret: bytes) -> zmq.Socket[bytes]:
    socket = context.socket(zmq.DEALER)
    socket.linger = 0
    socket.curve_serverkey, socket.curve_secretkey = hub_key.encode(), secret
    socket.curve_publickey = zmq.curve_public(secret)
    socket.connect(endpoint)
    return socket


def _receive(runner: _Runner, socket: zmq.Socket[bytes]) -> None:
    now = time.monotonic()
    while True:
        try:
            frames = socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            break
        try:
            runner.link.receive(frames, now)
        except ProtocolError as error:
            print(error, file=sys.stderr)
    _send(runner)


def _send(runner: _Runner) -> None:
    for frames in runner.link.frames_to_send():
        if runner.socket is not None:
            runner.socket.send_multipart(frames, zmq.NOBLOCK)


if __name__ == "__main__":
    main(*sys.argv[1:])
