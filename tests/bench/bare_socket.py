"""The floors of a terminal on a WebSocket: bare `websockets` servers that push bytes, or what a terminal says."""

from __future__ import annotations

import asyncio
import errno
import os
import sys

from websockets.asyncio.server import ServerConnection, serve

from tests.bench.terminals import start

_BLOCK = 65_536


async def push(connection: ServerConnection, count: int) -> None:
    """Send so many bytes."""
    piece = b"x" * _BLOCK
    for _ in range(0, count, _BLOCK):
        await connection.send(piece)


async def show(connection: ServerConnection, command: list[str]) -> None:
    """Send what a program says in a terminal."""
    pid, master, slave = start(command)
    os.close(slave)
    os.set_blocking(master, False)
    loop, readable = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(master, readable.set)
    try:
        while piece := await _read(master, readable):
            await connection.send(piece)
    finally:
        loop.remove_reader(master)
        os.close(master)
        await asyncio.to_thread(os.waitpid, pid, 0)


async def _read(master: int, readable: asyncio.Event) -> bytes:
    while True:
        try:
            return os.read(master, _BLOCK)
        except BlockingIOError:
            readable.clear()
            await readable.wait()
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return b""


async def main(count: int, command: list[str]) -> None:
    """Serve until the process is ended: /push sends bytes, all else shows the command."""

    async def handle(connection: ServerConnection) -> None:
        if connection.request is not None and connection.request.path == "/push":
            await push(connection, count)
        else:
            await show(connection, command)

    async with serve(handle, "127.0.0.1", 0, compression=None, max_size=None) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2:]))
