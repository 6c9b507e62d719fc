"""Answer libzmq's question whether a CURVE key may come in (ZAP, RFC 27)."""

from __future__ import annotations

from collections.abc import Callable

import zmq
from zmq.utils.z85 import encode

from descartes_orchestrator.supervisor.loop import Loop

_ADDRESS = "inproc://zeromq.zap.01"
_VERSION = b"1.0"
#: Version, request id, domain, address, identity, mechanism, then the key.
_KEY_AT, _MECHANISM_AT = 6, 5
#: Answered until others have their turn.
_AT_ONCE = 200


class Doorkeeper:
    """Lets keys in; each frame of who comes bears its key as its User-Id."""

    def __init__(self, loop: Loop, context: zmq.Context[zmq.Socket[bytes]], lets_in: Callable[[str], bool]) -> None:
        self._loop, self._lets_in = loop, lets_in
        #: Whom it let in, and whom not.
        self.admitted = self.refused = 0
        self._socket = context.socket(zmq.REP)
        self._socket.linger = 0
        self._socket.bind(_ADDRESS)
        self._loop.watch(self._socket.FD, self._answer)

    def close(self) -> None:
        """Let nobody in any more."""
        self._loop.unwatch(self._socket.FD)
        self._socket.close()

    def _answer(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                asked = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:  # the descriptor tells of whoever comes from now on
                return
            self._socket.send_multipart(self._reply(asked))
        self._loop.later(0.0, self._answer)

    def _reply(self, asked: list[bytes]) -> list[bytes]:
        request = asked[1] if len(asked) > 1 else b""
        is_whole = len(asked) > _KEY_AT and asked[_MECHANISM_AT] == b"CURVE" and len(asked[_KEY_AT]) == 32
        key = encode(asked[_KEY_AT]) if is_whole else b""
        if key and self._lets_in(key.decode()):
            self.admitted += 1
            return [_VERSION, request, b"200", b"OK", key, b""]
        self.refused += 1
        return [_VERSION, request, b"400", b"not enrolled", b"", b""]
