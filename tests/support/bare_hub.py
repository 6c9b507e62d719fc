"""A hub of the test's own: a bare ROUTER that greets, and forwards by the names that peers give themselves."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Self

import zmq

from descartes_core.bus import messages as m
from descartes_core.bus.codec import decode, encode
from descartes_core.bus.wire import destination
from descartes_core.errors import ProtocolError
from descartes_daemon.bus.dealer import Bus
from descartes_local.bus_file import BusFile, Keys

THEN = "2026-01-01T00:00:00Z"


def new_keys() -> Keys:
    """Return a fresh key pair."""
    public, secret = zmq.curve_keypair()
    return Keys(public.decode(), secret.decode())


class BareHub:
    """Lets everybody in, and believes what they say of themselves; CURVE is on, without anybody asked."""

    def __init__(self, heartbeat_secs: float = 2.0) -> None:
        self.keys = new_keys()
        self.heartbeat_secs = heartbeat_secs
        self.endpoint = "tcp://127.0.0.1:*"
        #: The one that everybody is said to have.
        self.key = "k" * 40
        #: What was heard, by whom: the hub's own, and what was forwarded.
        self.heard: list[tuple[str, m.Message]] = []
        #: Says of (from, to, message) whether it is lost on its way.
        self.loses: Callable[[str, str, m.Message], bool] = lambda _sender, _to, _message: False
        self._known: dict[bytes, m.Peer] = {}
        self._says: deque[tuple[str, m.Message]] = deque()
        self._over = threading.Event()

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def begin(self) -> None:
        """Listen, at the same place as before."""
        self._over.clear()
        self._known.clear()
        self._context = zmq.Context()
        self._router = self._context.socket(zmq.ROUTER)
        self._router.linger = 0
        self._router.curve_server = True
        self._router.curve_publickey = self.keys.public.encode()
        self._router.curve_secretkey = self.keys.secret.encode()
        self._router.bind(self.endpoint)
        self.endpoint = self._router.last_endpoint.decode()
        self._thread = threading.Thread(target=self._run, name="bare hub")
        self._thread.start()

    def end(self) -> None:
        """Go, without a word; a second time it changes nothing."""
        if self._over.is_set():
            return
        self._over.set()
        self._thread.join()
        self._router.close(0)
        self._context.term()

    def file(self, name: str, role: str = "daemon") -> BusFile:
        """Return what a peer of this name is told."""
        return BusFile(role, self.endpoint, self.keys.public, name, f"{name}.key")

    def tell(self, name: str, message: m.Message) -> None:
        """Say something to one of them."""
        self._says.append((name, message))

    def _run(self) -> None:
        while not self._over.is_set():
            while self._says:
                name, message = self._says.popleft()
                self._say(next(one for one, peer in self._known.items() if peer.name == name), message)
            if self._router.poll(20):
                identity, *frames = self._router.recv_multipart()
                self._take(identity, frames)

    def _take(self, identity: bytes, frames: list[bytes]) -> None:
        try:
            to, body, _is_req = destination(frames)
            message = decode(body)
        except ProtocolError as error:
            self._say(identity, m.Problem(code="protocol_error", error=error.message))
            return
        sender = self._known[identity].name if identity in self._known else ""
        self.heard.append((sender, message))
        if to:
            self._forward(identity, sender, to, message, body)
        elif isinstance(message, m.Hello):
            self._welcome(identity, message)
        elif isinstance(message, m.Goodbye):
            self._tell_all(self._known.pop(identity).model_copy(update={"state": "gone"}))
        elif identity not in self._known:
            self._say(identity, m.Goodbye(code="greet"))
        elif isinstance(message, m.Heartbeat):
            self._say(identity, m.Heartbeat())

    def _welcome(self, identity: bytes, hello: m.Hello) -> None:
        peer = m.Peer(
            state="connected",
            key=self.key,
            since=THEN,
            **hello.model_dump(include={"name", "role", "generation", "version", "title", "labels", "capacity"}),
            updates=hello.updates,
        )
        for before in [one for one, known in self._known.items() if known.name == peer.name]:
            del self._known[before]  # it has come back by another connection
        others = tuple(self._known.values())
        self._known[identity] = peer
        welcome = m.Welcome(
            protocol_version=m.PROTOCOL_VERSION,
            server_id="bare",
            instance_id="i",
            heartbeat_secs=self.heartbeat_secs,
            misses=3,
            status_interval_secs=0.2,
            peers=others,
        )
        self._say(identity, welcome)
        self._tell_all(peer)

    def _tell_all(self, peer: m.Peer) -> None:
        for identity, other in self._known.items():
            if other.name != peer.name:
                self._say(identity, m.PeerUpdate(peer=peer))

    def _forward(self, identity: bytes, sender: str, to: str, message: m.Message, body: bytes) -> None:
        if self.loses(sender, to, message):
            return
        found = next((one for one, peer in self._known.items() if peer.name == to), None)
        if found is None:
            self._say(identity, m.Problem(code="unreachable", error=f"{to} is not there", to=to))
        else:
            self._router.send_multipart([found, sender.encode(), body])

    def _say(self, identity: bytes, message: m.Message) -> None:
        self._router.send_multipart([identity, b"", encode(message)])


def peer_of(hub: BareHub, name: str, role: m.Role = "daemon", *, generation: int = 1, **more: object) -> Bus:
    """Return a peer that does not run yet."""
    hello = m.Hello(
        protocol_version=m.PROTOCOL_VERSION,
        role=role,
        name=name,
        generation=generation,
        **more,  # type: ignore[arg-type]
    )
    return Bus(hello, hub.file(name, role), new_keys())
