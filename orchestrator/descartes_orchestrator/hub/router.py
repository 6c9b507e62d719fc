"""The ROUTER socket on a selectors loop: one thread, never waited for."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum
from typing import Any

import zmq

from descartes_core.bus.messages import LARGEST
from descartes_core.errors import Unavailable
from descartes_local.bus_file import Keys
from descartes_orchestrator.supervisor.loop import Loop

#: Messages that wait for one peer that does not read; of one whose messages we have not read.
SEND_HIGH_WATER, RECEIVE_HIGH_WATER = 10_000, 1000
#: What is larger ends the connection, unread; what is a bit too large can still be answered.
_LARGEST_FRAME = LARGEST + 1024 * 1024
#: Milliseconds: TCP connections whose other side is gone without a word are dropped after this.
_PING, _SILENCE, _HANDSHAKE = 10_000, 30_000, 10_000
#: What is taken until others (doors, timers, whoever asks to come in) have their turn.
_AT_ONCE, _SECONDS_AT_ONCE = 2000, 0.02
#: Frames of one message that anybody looks at; the rest of such a message is read and thrown away.
_MOST_FRAMES = 4
_NOW, _MORE = zmq.NOBLOCK, zmq.NOBLOCK | zmq.SNDMORE

#: route, key, frames.
Take = Callable[[bytes, str, list[zmq.Frame]], None]


class Sent(Enum):
    """What became of a message."""

    WELL = "well"
    #: The peer does not read, and enough is waiting for it.
    FULL = "full"
    #: There is no such connection any more.
    GONE = "gone"


class Router:
    """Hands over what comes, with whose key it came."""

    def __init__(self, loop: Loop, context: zmq.Context[zmq.Socket[bytes]], keys: Keys) -> None:
        self._loop = loop
        #: Set by who puts the hub together.
        self.take: Take
        socket = self._socket = context.socket(zmq.ROUTER)
        socket.linger = 0
        socket.curve_server = True
        socket.curve_publickey, socket.curve_secretkey = keys.public.encode(), keys.secret.encode()
        socket.sndhwm, socket.rcvhwm, socket.maxmsgsize = SEND_HIGH_WATER, RECEIVE_HIGH_WATER, _LARGEST_FRAME
        socket.router_mandatory = True
        # No ROUTER_HANDOVER: who calls itself by another one's route would be sent what is meant for that one.
        socket.setsockopt(zmq.HEARTBEAT_IVL, _PING)
        socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, _SILENCE)
        socket.setsockopt(zmq.HANDSHAKE_IVL, _HANDSHAKE)
        socket.setsockopt(zmq.BACKLOG, 4096)
        socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
        self._recv: Callable[..., Any] = socket.recv
        self._send: Callable[..., Any] = socket.send
        #: Something was sent since the last look at what came; then the descriptor may tell nobody that there is more.
        self._may_be_more = False
        self._is_watched = self._goes_on = False

    @property
    def endpoint(self) -> str:
        """Where it listens, the port among it where the system chose one."""
        return str(self._socket.getsockopt_string(zmq.LAST_ENDPOINT))

    def listen(self, endpoint: str) -> None:
        """Listen.

        Raises:
            Unavailable: it cannot be bound.

        """
        try:
            self._socket.setsockopt(zmq.IPV6, int("[" in endpoint))
            self._socket.bind(endpoint)
        except zmq.ZMQError as error:
            raise Unavailable(f"the hub cannot listen at {endpoint}: {error}") from error
        self._loop.watch(self._socket.FD, self._drain)
        self._is_watched = True

    def send(self, route: bytes, *frames: bytes | zmq.Frame) -> Sent:
        """Send a message, now or not at all."""
        self._may_be_more = True
        try:
            self._send(route, _MORE)
        except zmq.Again:
            return Sent.FULL
        except zmq.ZMQError:
            return Sent.GONE
        # Whether there is room is decided by the first frame; the others follow it.
        for frame in frames[:-1]:
            self._send(frame, _MORE)
        self._send(frames[-1], _NOW, copy=len(frames[-1]) < zmq.COPY_THRESHOLD)
        return Sent.WELL

    def look(self) -> None:
        """Take what has come while something was sent: the descriptor tells of that only once."""
        if self._may_be_more and self._is_watched and not self._goes_on:
            self._drain()

    def close(self, linger: int = 0) -> None:
        """Listen no more; what is not sent within so many milliseconds is lost."""
        if self._is_watched:
            self._loop.unwatch(self._socket.FD)
            self._is_watched = False
        self._socket.close(linger)

    def _drain(self) -> None:
        self._goes_on, self._may_be_more = False, True
        ends = time.monotonic() + _SECONDS_AT_ONCE
        for count in range(_AT_ONCE):
            try:
                first = self._recv(_NOW, copy=False)
            except zmq.Again:
                self._may_be_more = False
                return
            frames: list[zmq.Frame] = []
            frame = first
            while frame.more:
                frame = self._recv(_NOW, copy=False)
                if len(frames) < _MOST_FRAMES:
                    frames.append(frame)
            self.take(first.bytes, first.get("User-Id"), frames)
            if not count % 64 and time.monotonic() > ends:
                break
        self._goes_on = True
        self._loop.later(0.0, self._drain)
