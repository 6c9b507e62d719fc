"""The one-time token by which a new machine finds a hub and is let in."""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple

import msgpack  # type: ignore[import-untyped]

from descartes_core.errors import InvalidParams

_PREFIX = "descartes-"
_VERSION = 1
#: An endpoint and two keys; a pasted page is something else.
_LONGEST = 2000
#: Characters of a CURVE key in Z85.
KEY_LENGTH = 40


class Invitation(NamedTuple):
    """Where the hub is, whom to expect there, and the key that is let in once."""

    endpoint: str
    #: The hub's CURVE public key (Z85).
    hub_key: str
    #: The invitation's own CURVE secret key (Z85).
    secret: str


def write_token(invitation: Invitation) -> str:
    """Return the token: one word that survives a shell, a chat and a line break at its end."""
    endpoint, hub_key, secret = invitation
    packed = msgpack.packb({"v": _VERSION, "e": endpoint, "k": hub_key, "s": secret})
    return _PREFIX + base64.urlsafe_b64encode(packed).decode().rstrip("=")


def read_token(token: str) -> Invitation:
    """Return what a token says.

    Raises:
        InvalidParams: it is none, or not whole, or of a version that is not known here.

    """
    word = token.strip()
    if not word.startswith(_PREFIX) or len(word) > _LONGEST:
        raise InvalidParams(f"a token begins with {_PREFIX}, and is printed by `descartes hub enroll`")
    try:
        text = word.removeprefix(_PREFIX)
        value = msgpack.unpackb(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        found = Invitation(value["e"], value["k"], value["s"])
        version = value["v"]
    except (ValueError, TypeError, KeyError, binascii.Error, msgpack.UnpackException):
        raise InvalidParams("the token is not whole: copy all of it") from None
    if version != _VERSION:
        raise InvalidParams(f"the token is of version {str(version)[:20]}, and {_VERSION} is known here")
    is_text = all(isinstance(part, str) for part in found)
    if not is_text or len(found.hub_key) != KEY_LENGTH or len(found.secret) != KEY_LENGTH:
        raise InvalidParams("the token is not whole: copy all of it")
    return found
