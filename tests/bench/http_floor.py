"""A bare asyncio Protocol that answers every HTTP request with as many bytes as it is told."""

from __future__ import annotations

import asyncio
import sys


class Floor(asyncio.Protocol):
    """One connection."""

    answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if data.endswith(b"\r\n\r\n"):
            self._transport.write(self.answer)  # type: ignore[attr-defined]
            self._transport.close()


async def main(length: int) -> None:
    """Serve on a port of one's own, which is printed."""
    head = f"HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n".encode()
    Floor.answer = head + b"x" * length
    server = await asyncio.get_running_loop().create_server(Floor, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
