"""systemd's notify and descriptor-store protocol, the client's half (sd_notify(3), sd_pid_notify_with_fds(3))."""

from __future__ import annotations

import array
import asyncio
import os
import socket
from collections.abc import Iterable

#: Who started us answers within this, or is taken for gone.
_DEADLINE = 5.0


class Notifier:
    """Tells who started this process how it is; silent when nobody asked."""

    def __init__(self, path: str | None) -> None:
        self._socket: socket.socket | None = None
        #: One message at a time: a loop can wait only once for the same socket, and the queue is short (10 by default).
        self._turn = asyncio.Lock()
        if path:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
            try:
                self._socket.connect("\0" + path[1:] if path.startswith("@") else path)
            except OSError:
                self._socket.close()
                self._socket = None

    @property
    def is_heard(self) -> bool:
        """Whether there is somebody to tell."""
        return self._socket is not None

    async def tell(self, *lines: str, descriptors: Iterable[int] = ()) -> bool:
        """Send one message; False when nobody listens (any more)."""
        if self._socket is None:
            return False
        rights = array.array("i", descriptors)
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights.tobytes())] if rights else []
        async with self._turn:
            try:
                async with asyncio.timeout(_DEADLINE):
                    return await self._send(os.fsencode("\n".join(lines)), ancillary)
            except (OSError, TimeoutError):
                return False

    async def _send(self, message: bytes, ancillary: list[tuple[int, int, bytes]]) -> bool:
        while self._socket is not None:
            try:
                self._socket.sendmsg([message], ancillary)
            except BlockingIOError:
                await _writable(self._socket)
            else:
                return True
        return False

    async def barrier(self) -> bool:
        """Wait until all that was told before has been processed; False when nobody says so."""
        ours, theirs = os.pipe()
        try:
            if not await self.tell("BARRIER=1", descriptors=[theirs]):
                return False
            os.close(theirs)
            theirs = -1
            async with asyncio.timeout(_DEADLINE):
                await _readable(ours)
        except TimeoutError:
            return False
        finally:
            os.close(ours)
            if theirs >= 0:
                os.close(theirs)
        return True

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


async def _writable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_writer(connection, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(connection)


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
