"""A TCP proxy that can be cut, reset and held up, where network namespaces are not permitted."""

from __future__ import annotations

import selectors
import socket
import struct
import threading
from types import TracebackType
from typing import Self

_PIECE = 65_536


class Proxy:
    """Listens at `address` and carries to `target`; `hold` keeps everything, `reset` breaks what is open."""

    def __init__(self, address: tuple[str, int], target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(address)
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._wake_out, self._wake_in = socket.socketpair()
        self._is_held = self._is_over = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake_out, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._is_over = True
        self._wake_in.send(b".")
        self._thread.join()
        self.reset()
        for one in (self._listener, self._wake_out, self._wake_in):
            one.close()
        self._selector.close()

    def hold(self, *, held: bool = True) -> None:
        """Let nothing pass, and nobody in; what is under way comes later."""
        self._is_held = held
        self._wake_in.send(b".")

    def reset(self) -> None:
        """Break every connection at once, as a network does that has forgotten it."""
        with self._lock:
            for one in list(self._pairs):
                self._drop(one)

    def _run(self) -> None:
        while not self._is_over:
            for key, _ in self._selector.select():
                if key.fileobj is self._wake_out:
                    self._wake_out.recv(100)
                elif not self._is_held:
                    with self._lock:
                        self._listening() if key.fileobj is self._listener else self._carry(key.fileobj)
            while self._is_held and not self._is_over:
                self._wake_out.recv(100)

    def _listening(self) -> None:
        near, _ = self._listener.accept()
        try:
            far = socket.create_connection(self._target, timeout=5)
        except OSError:
            near.close()
            return
        for one, other in ((near, far), (far, near)):
            self._pairs[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _carry(self, one: object) -> None:
        assert isinstance(one, socket.socket)
        if one not in self._pairs:
            return
        try:
            data = one.recv(_PIECE)
            if data:
                self._pairs[one].sendall(data)
        except OSError:
            data = b""
        if not data:
            self._drop(one)

    def _drop(self, one: socket.socket) -> None:
        for each in (one, self._pairs.get(one)):
            if each is not None and self._pairs.pop(each, None) is not None:
                self._selector.unregister(each)
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                each.close()
