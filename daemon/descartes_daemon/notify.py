"""systemd's notify and descriptor-store protocol, the client's half (sd_notify(3), sd_pid_notify_with_fds(3))."""

from __future__ import annotations

import array
import asyncio
import errno
import os
import socket
from collections.abc import Iterable

#: Who started us answers within this, or is taken for gone.
_DEADLINE = 5.0
#: How it shows that nobody listens any more.
_GONE = (ConnectionError, FileNotFoundError)
#: A pipe takes as much at once, or nothing.
_LONGEST_WORD = 4096


class Notifier:
    """Tells who started this process how it is; silent when nobody asked."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        #: One message at a time: a loop can wait only once for the same socket, and the queue is short (10 by default).
        self._turn = asyncio.Lock()
        self._is_lost = False
        self._socket = _connected(path) if path else None

    @property
    def is_heard(self) -> bool:
        """Whether there is somebody to tell."""
        return self._socket is not None and not self._is_lost

    def lose(self) -> None:
        """Know that whoever listened is gone: nothing more is told."""
        self._is_lost = True

    async def reconnect(self) -> bool:
        """Tell whoever listens there now from here on; False when nobody does."""
        async with self._turn:
            self.close()
            self._socket = _connected(self._path) if self._path else None
            self._is_lost = False
        return self.is_heard

    async def tell(self, *lines: str, descriptors: Iterable[int] = ()) -> bool:
        """Send one message; False when nobody listens (any more).

        Raises:
            OSError: these descriptors cannot be passed on now.

        """
        if not self.is_heard:
            return False
        rights = array.array("i", descriptors)
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights.tobytes())] if rights else []
        async with self._turn:
            try:
                async with asyncio.timeout(_DEADLINE):
                    return await self._send(os.fsencode("\n".join(lines)), ancillary)
            except (TimeoutError, *_GONE):
                return False
            except OSError as error:
                if rights and error.errno != errno.ENOTCONN:
                    raise
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
        """Ask to be told when all before has been processed; return where that is read, None when nobody listens.

        Raises:
            OSError: no descriptor is free for it.

        """
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


def _connected(path: str) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    connection.setblocking(False)
    try:
        connection.connect("\0" + path[1:] if path.startswith("@") else path)
    except OSError:
        connection.close()
        return None
    return connection


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
