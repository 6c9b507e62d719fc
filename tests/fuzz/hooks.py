"""What hooks read that others wrote: answers, addresses."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import cache

from descartes_core.errors import InvalidParams
from descartes_daemon.hooks.answer import LARGEST_ANSWER, Nonsense, rest_of, status_of
from descartes_daemon.hooks.target import Target, shown

ANSWER = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: b\r\n\r\nhello"
ANSWER_WORDS = (b"\r\n", b"\n", b"HTTP/1.0 ", b"199", b"600", b"Content-Length: -1", b"\0" * 100, b": ")
URL = b"https://user:password1@shop.example:8443/services/T024F8S8W9Y2abcd?key=value&other"
URL_WORDS = (b"@", b":", b"//", b"[::1]", b"%", b"\\", b"#", b"?", b"\t", "\u2044".encode())


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


def answer(data: bytes) -> str:
    """Read an answer: within its bound, to a status, or refused as nonsense."""
    return _loop().run_until_complete(_answer(data))


async def _answer(data: bytes) -> str:
    reader = asyncio.StreamReader(limit=LARGEST_ANSWER)
    reader.feed_data(data)
    reader.feed_eof()
    try:
        status = await status_of(reader)
    except Nonsense:
        return "nonsense"
    assert 200 <= status < 600
    with suppress(Nonsense):
        assert len(await rest_of(reader)) <= LARGEST_ANSWER
    return str(status // 100)


def url(data: bytes) -> str:
    """Read an address: what is sent to it is one line of ASCII, and what is shown has no password."""
    text = data.decode(errors="surrogateescape")
    try:
        target = Target.read(text)
    except InvalidParams:
        return "refused"
    sent = f"{target.path}{target.authority}"
    assert sent.isascii()
    assert sent.isprintable()
    assert " " not in sent
    assert 0 < target.port < 65_536
    assert "password1" not in shown(text) or "password1" in target.path + target.authority
    return "secure" if target.is_secure else "plain"
