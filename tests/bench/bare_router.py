"""A bare blocking ROUTER that forwards by name: what the hub is measured against.

`python -m tests.bench.bare_router` prints its endpoint and its key; with `plain` it is one without CURVE, and the key
`-`. A peer's first message is [name].
"""

from __future__ import annotations

import sys

import zmq
from zmq.auth import CURVE_ALLOW_ANY
from zmq.auth.thread import ThreadAuthenticator


def main(*, is_plain: bool) -> None:
    """Forward until killed."""
    context = zmq.Context()
    router, public = context.socket(zmq.ROUTER), b"-"
    if not is_plain:
        keeper = ThreadAuthenticator(context)
        keeper.start()
        keeper.configure_curve(domain="*", location=CURVE_ALLOW_ANY)
        public, secret = zmq.curve_keypair()
        router.curve_server, router.curve_publickey, router.curve_secretkey = True, public, secret
    router.sndhwm = router.rcvhwm = 10_000
    port = router.bind_to_random_port("tcp://127.0.0.1")
    print(f"tcp://127.0.0.1:{port}", public.decode(), flush=True)
    names: dict[bytes, bytes] = {}
    routes: dict[bytes, bytes] = {}
    while True:
        route, *frames = router.recv_multipart()
        if len(frames) == 1:
            names[route], routes[frames[0]] = frames[0], route
            router.send_multipart([route, b"", b"welcome"])
        else:
            router.send_multipart([routes[frames[0]], names[route], frames[1]])


if __name__ == "__main__":
    main(is_plain=sys.argv[1:] == ["plain"])
