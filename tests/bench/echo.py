"""The floor of a round trip: a bare asyncio Protocol that answers each line."""

from __future__ import annotations

import asyncio
import sys


class Answer(asyncio.Protocol):
    """Answers whatever comes with a line of a given length."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(self._answer)


async def serve(path: str, length: int) -> None:
    """Serve until the process is ended."""
    answer = b"." * (length - 1) + b"\n"
    server = await asyncio.get_running_loop().create_unix_server(lambda: Answer(answer), path)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
