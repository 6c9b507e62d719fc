"""systemd's notify and descriptor-store protocol, the client's half (sd_notify(3), sd_pid_notify_with_fds(3))."""

from __future__ import annotations

import array
import asyncio
import os
import socket
from collections.abc import Iterable

#: Who started us answers within this, or is taken for gone.
_DEADLINE = 5.0
#: A pipe takes as much at once, or nothing.
_LONGEST_WORD = 4096


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
        sent = await self.send_barrier()
        return sent is not None and await self.answer(sent) is not None

    async def send_barrier(self) -> int | None:
        """Ask to be told when all before has been processed; return where that is read, None when nobody listens."""
        ours, theirs = os.pipe()
        try:
            is_sent = await self.tell("BARRIER=1", descriptors=[theirs])
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        if is_sent:
            return ours
        os.close(ours)
        return None

    async def answer(self, barrier: int) -> str | None:
        """Return what is said to a barrier: a word by our supervisor, nothing by systemd; None in time by nobody."""
        try:
            async with asyncio.timeout(_DEADLINE):
                await _readable(barrier)
            return os.read(barrier, _LONGEST_WORD).decode(errors="replace").strip()
        except (OSError, TimeoutError):
            return None
        finally:
            os.close(barrier)

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
