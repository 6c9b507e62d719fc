"""A web address that is posted to: read, and shown without its secrets."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from descartes_core.errors import InvalidParams
from descartes_core.redaction import HIDDEN, redact_text

_PORTS = {"http": 80, "https": 443}
#: Python would find a host also in what stands in brackets in the middle of another.
_PLACE = re.compile(r"(?:[^\[\]:]+|\[[^\[\]]+\])(?::[0-9]*)?")
#: A longer word in a path is a key rather than a name: many services have theirs there.
_LONGEST_WORD = 15
#: What is shorter hides more of an answer than it is worth.
_SHORTEST_KEY = 4


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect, and what to ask for there."""

    host: str
    port: int
    is_secure: bool
    #: Path and query.
    path: str
    #: What the Host header says.
    authority: str
    #: User and password, encoded.
    credentials: str | None
    #: What `shown` hides, longest first: receivers like to repeat it.
    keys: tuple[str, ...] = ()

    @classmethod
    def read(cls, url: str) -> Target:
        """Return what an address means.

        Raises:
            InvalidParams: nothing can be posted to it; the message does not repeat it.

        """
        if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
            raise InvalidParams("a hook's url is ASCII, without blanks: encode what is not by percent signs")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise InvalidParams(f"that is no url: {error}") from None
        if parts.scheme not in _PORTS or not parts.hostname or not _PLACE.fullmatch(parts.netloc.rpartition("@")[2]):
            raise InvalidParams("a hook's url begins with http:// or https://, and a host")
        if parts.fragment or port == 0:
            raise InvalidParams("a hook's url has neither a fragment (#…) nor port 0")
        host = parts.hostname
        shown = f"[{host.partition('%')[0]}]" if ":" in host else host
        usual = _PORTS[parts.scheme]
        return cls(
            host=host,
            port=port or usual,
            is_secure=parts.scheme == "https",
            path=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
            authority=shown if port in (None, usual) else f"{shown}:{port}",
            credentials=_encoded(parts.username, parts.password),
            keys=_keys(parts),
        )


def _encoded(user: str | None, password: str | None) -> str | None:
    if user is None:
        return None
    return base64.b64encode(f"{unquote(user)}:{unquote(password or '')}".encode()).decode()


def _keys(parts: SplitResult) -> tuple[str, ...]:
    found = [parts.username, parts.password, _encoded(parts.username, parts.password)]
    found += [word for word in parts.path.split("/") if len(word) > _LONGEST_WORD]
    found += [value if sign else name for name, sign, value in (one.partition("=") for one in parts.query.split("&"))]
    spelt = {spelling for one in found if one for spelling in (one, unquote(one)) if len(spelling) >= _SHORTEST_KEY}
    return tuple(sorted(spelt, key=lambda one: (-len(one), one)))


def shown(url: str) -> str:
    """Return an address without user, password, the values of its query, and words of its path that look like keys."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    host = f"{HIDDEN}@{place}" if "@" in parts.netloc else place
    path = "/".join(HIDDEN if len(word) > _LONGEST_WORD else word for word in parts.path.split("/"))
    query = "?" + "&".join(map(_named, parts.query.split("&"))) if parts.query else ""
    return redact_text(f"{parts.scheme}://{host}{path}{query}")


def _named(pair: str) -> str:
    name, sign, _ = pair.partition("=")
    # A word alone may be the key itself.
    return f"{name}={HIDDEN}" if sign else HIDDEN
