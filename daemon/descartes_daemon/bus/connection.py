"""One connection with the hub: a DEALER in the loop, thrown away once it is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import zmq
from zmq.utils.monitor import parse_monitor_message

from descartes_core.bus.messages import LARGEST
from descartes_local.bus_file import BusFile, Keys

#: Frames on their way, two a message: few, so that typing and heartbeats do not wait behind much output.
_SENDING, _RECEIVING = 16, 200
#: How long the last word may take (milliseconds).
_LAST_WORD = 300
_CONNECT_MS = 10_000
_AND_MORE = zmq.NOBLOCK | zmq.SNDMORE

_REFUSED = zmq.EVENT_HANDSHAKE_FAILED_AUTH
_STRANGE = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
_ENDED = zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED
_WHY: dict[int, str] = {
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: "the hub does not know this key",
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: "another hub answers there, or none at all",
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: "another hub answers there, or none at all",
    zmq.EVENT_DISCONNECTED: "the connection ended",
    zmq.EVENT_CLOSED: "no hub answers",
}


class Connection:
    """A DEALER that is read and written without waiting."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        told: BusFile,
        keys: Keys,
        on_news: Callable[[int], None],
        on_closed: Callable[[str], None],
    ) -> None:
        """Begin to connect; `on_news` is told, whenever something has changed, what can be done (POLLIN, POLLOUT).

        Raises:
            zmq.ZMQError: the endpoint or a key is none.

        """
        self._loop = asyncio.get_running_loop()
        self._on_news, self._on_closed = on_news, on_closed
        self._soon: asyncio.Handle | None = None
        self._socket = context.socket(zmq.DEALER)
        try:
            self._set_up(keys, told.hub_key)
            self._monitor = self._socket.get_monitor_socket(_REFUSED | _STRANGE | _ENDED)
            self._monitor.linger = 0
            self._socket.connect(told.hub)
        except BaseException:
            self._socket.disable_monitor()
            self._socket.close(0)
            raise
        self._fd, self._monitor_fd = int(self._socket.FD), int(self._monitor.FD)
        # The descriptors tell that something has changed, not that something is there: all of it must be taken.
        self._loop.add_reader(self._fd, self._look)
        self._loop.add_reader(self._monitor_fd, self._hear)
        self._soon = self._loop.call_soon(self._begin)

    def _set_up(self, keys: Keys, hub_key: str) -> None:
        socket = self._socket
        socket.curve_publickey, socket.curve_secretkey = keys.public.encode(), keys.secret.encode()
        socket.curve_serverkey = hub_key.encode()
        socket.linger = 0
        socket.ipv6 = True
        socket.sndhwm, socket.rcvhwm = _SENDING, _RECEIVING
        socket.maxmsgsize = LARGEST
        socket.immediate = True
        socket.connect_timeout = _CONNECT_MS
        socket.reconnect_ivl = -1  # a new one is made by the link's own rules, with nothing old in it

    def send(self, frames: Sequence[bytes]) -> bool:
        """Send one message; False where the hub takes no more now."""
        try:
            for frame in frames[:-1]:
                self._socket.send(frame, _AND_MORE)
            self._socket.send(frames[-1], zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def receive(self) -> list[bytes] | None:
        """Return the next message that has come; None where none has."""
        return self._socket.recv_multipart(zmq.NOBLOCK) if self.events & zmq.POLLIN else None

    @property
    def events(self) -> int:
        """What can be done: POLLIN, POLLOUT."""
        return int(self._socket.getsockopt(zmq.EVENTS))

    def look_again(self, events: int) -> None:
        """Look in the loop's next turn, where one of these can be done now.

        What is sent or taken may take the descriptor's word with it.
        """
        if self._soon is None and not self._socket.closed and self.events & events:
            self._soon = self._loop.call_soon(self._look)

    def _begin(self) -> None:
        """Look for the first time: until then the descriptors need not tell of anything."""
        self._hear()
        self._look()

    def _look(self) -> None:
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        if not self._socket.closed:
            self._on_news(self.events)

    def _hear(self) -> None:
        while not self._monitor.closed:
            try:
                event = parse_monitor_message(self._monitor.recv_multipart(zmq.NOBLOCK))["event"]
            except zmq.Again:
                return
            if event in _WHY:
                self._on_closed(_WHY[event])

    def close(self, *, linger: bool) -> None:
        """Throw it away; with `linger` after the last word was sent, for which nobody waits."""
        self._loop.remove_reader(self._fd)
        self._loop.remove_reader(self._monitor_fd)
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        self._socket.disable_monitor()
        self._monitor.close(0)
        self._socket.close(_LAST_WORD if linger else 0)
