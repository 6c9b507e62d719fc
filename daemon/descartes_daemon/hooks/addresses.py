"""Where a name leads, and whether a hook may go there.

A daemon that posts wherever it is told reaches what only this machine reaches: other daemons, a router, a cloud's
metadata. So an address must be public unless its hook says otherwise. What is checked is what is connected to: the name
is resolved once, here, and odd spellings of numbers are resolved like names.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import threading
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

#: Networks whose last four bytes are an IPv4 address: compatible, translated, and two of NAT64 (RFC 2765, 6052, 8215).
_EMBEDDING = tuple(IPv6Network(net) for net in ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/96"))
#: Not public, and not known as such by every version of `ipaddress`.
_LOCAL_6 = ("64:ff9b:1::/48", "fec0::/10", "2001::/23", "100::/64", "5f00::/16", "3fff::/20")
#: Likewise; clouds tell of themselves in both.
_LOCAL_4 = ("192.0.0.0/24", "168.63.129.16/32")
_LOCAL: tuple[IPv4Network | IPv6Network, ...] = (*map(IPv6Network, _LOCAL_6), *map(IPv4Network, _LOCAL_4))


class Private(Exception):
    """An address that a hook may not be posted to."""


async def addresses_of(host: str, port: int, *, allow_private: bool) -> list[str]:
    """Return the addresses of a host, in the system's order.

    Raises:
        Private: one of them is not public, and that is not allowed.
        OSError: there are none.

    """
    try:
        found = [str(ipaddress.ip_address(host))]
    except ValueError:
        found = await _resolved(host, port)
    for address in found:
        if not allow_private and (why := why_private(address)) is not None:
            raise Private(f"{host} is {why}" if address == host else f"{host} is {address}: {why}")
    return found


def why_private(text: str) -> str | None:
    """Say what is the matter with an address that is not public; None where it is."""
    address = ipaddress.ip_address(text.partition("%")[0])
    for one in (address, *_within(address)):
        if one.is_loopback:
            return "a loopback address"
        if one.is_link_local:
            return "a link-local address"
        if one.is_multicast or one.is_unspecified or (isinstance(one, IPv4Address) and one.is_reserved):
            return "no address of a host"
        if not one.is_global or any(one in net for net in _LOCAL):
            return "a private address"
    return None


def _within(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    """Return the IPv4 addresses that packets to an IPv6 address may end at."""
    if isinstance(address, IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if any(address in net for net in _EMBEDDING):
        found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return [one for one in found if one is not None]


async def _resolved(host: str, port: int) -> list[str]:
    """Ask the system, in a thread that nobody waits for: it may take as long as it likes, also at our end."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[str]] = loop.create_future()

    def tell(found: list[str], error: Exception | None) -> None:
        if answer.done():
            return
        if error is None:
            answer.set_result(found)
        else:
            answer.set_exception(error)

    def ask() -> None:
        found: list[str] = []
        error: Exception | None = None
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found = list(dict.fromkeys(str(row[4][0]) for row in rows))
        except socket.gaierror as trouble:
            error = OSError(f"{host} cannot be resolved: {trouble.strerror}")
        except (OSError, UnicodeError) as trouble:
            error = OSError(f"{host} cannot be resolved: {trouble}")
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody asks any more
            loop.call_soon_threadsafe(tell, found, error)

    threading.Thread(target=ask, name="resolve a hook's host", daemon=True).start()
    return await answer
