"""Lines that somebody types over an attached terminal, however often that is cut."""

from __future__ import annotations

import selectors
import threading
import time
from collections.abc import Iterator

from descartes_cli.link import Link


def typed_lines(link: Link, over: threading.Event) -> Iterator[str]:
    """Type one line after the other over an attached terminal, each once the one before was heard."""
    heard, number = b"", 0
    with selectors.DefaultSelector() as selector:
        while not over.is_set() or number < 20:
            line = f"line-{number}-"
            link.type(f"{line}\r".encode())
            yield line
            ends = time.monotonic() + 30
            while f"heard: {line}".encode() not in heard:
                assert time.monotonic() < ends, f"{line} was not heard: {heard[-500:]!r}"
                if link.socket is not None:
                    selector.register(link.socket, link.wanted())
                    selector.select(0.05)
                    selector.unregister(link.socket)
                for frame in link.go_on(now=time.monotonic()):
                    heard += frame if isinstance(frame, bytes) else b""
            number += 1
