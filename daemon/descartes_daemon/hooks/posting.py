"""Post a letter to a web address, within a time, whatever answers there.

Only the status counts. What else a receiver says is read so that it can end well, and thrown away.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from functools import cache

from descartes_daemon.hooks.addresses import Private, addresses_of
from descartes_daemon.hooks.answer import LARGEST_ANSWER, Nonsense, rest_of, status_of
from descartes_daemon.hooks.outcome import DELIVERED, Outcome
from descartes_daemon.hooks.target import Target

#: An answer's body may take so long once its status is known (seconds).
_LAST_WORDS = 1.0
#: One of several addresses of a name may be dead (seconds).
_SOON = 2.0
#: Of a refusal's body, for people.
_KEPT = 1000
_GONE = 410


@cache
def tls() -> ssl.SSLContext:
    """Return what checks certificates by the system's authorities; made once, which reads files."""
    return ssl.create_default_context()


async def post(
    target: Target, headers: Mapping[str, str], body: str, *, allow_private: bool, timeout: float
) -> Outcome:
    """Try once."""
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(timeout):
            addresses = await addresses_of(target.host, target.port, allow_private=allow_private)
            reader, writer = await _connected(target, addresses)
            writer.write(_head(target, headers, body) + body.encode())
            await writer.drain()
            status = await status_of(reader)
        return await _judged(status, reader, target)
    except TimeoutError:
        return Outcome.failed(f"no answer within {timeout:g} s")
    except Private as error:
        return Outcome.failed(f"{error}: not posted without allow_private")
    except Nonsense as error:
        return Outcome.failed(str(error))
    except ssl.SSLError as error:
        return Outcome.failed(f"TLS failed: {getattr(error, 'verify_message', '') or error.reason or error}")
    except OSError as error:
        return Outcome.failed(f"cannot be reached: {error.strerror or error}")
    finally:
        if writer is not None:
            # Not by close, which waits for a receiver to take what is left, and to say goodbye by TLS.
            writer.transport.abort()


async def _connected(target: Target, addresses: list[str]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to the first that takes us; each but the last has to do so soon."""
    context = await asyncio.to_thread(tls) if target.is_secure else None
    name = target.host if target.is_secure else None
    *others, last = addresses
    for address in others:
        with contextlib.suppress(OSError):
            async with asyncio.timeout(_SOON):
                return await _open(address, target.port, context, name)
    return await _open(last, target.port, context, name)


async def _open(
    address: str, port: int, context: ssl.SSLContext | None, name: str | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(address, port, ssl=context, server_hostname=name, limit=LARGEST_ANSWER)


def _head(target: Target, headers: Mapping[str, str], body: str) -> bytes:
    own = {
        "Host": target.authority,
        "Connection": "close",
        "Content-Length": str(len(body.encode())),
        **({"Authorization": f"Basic {target.credentials}"} if target.credentials else {}),
    }
    lines = [f"POST {target.path} HTTP/1.1", *(f"{name}: {value}" for name, value in {**own, **headers}.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


async def _judged(status: int, reader: asyncio.StreamReader, target: Target) -> Outcome:
    said = b""
    with contextlib.suppress(OSError, TimeoutError, Nonsense, asyncio.IncompleteReadError):
        async with asyncio.timeout(_LAST_WORDS):
            said = await rest_of(reader)
    if 200 <= status < 300:
        return DELIVERED
    more = " (redirects are not followed)" if 300 <= status < 400 else ""
    return Outcome.failed(
        f"answered {status}{more}",
        said.decode(errors="replace"),
        known=target.keys,
        most=_KEPT,
        is_gone=status == _GONE,
    )
