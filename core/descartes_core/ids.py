"""How sessions, agents and requests are named, and found by what a person types."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from descartes_core.errors import Ambiguous, InvalidParams, NotFound

#: Long enough for a sentence, short enough for a table.
LONGEST_NAME = 100

#: The hub is held for like a session, by this id.
HUB_ID = "6875622d-7468-4570-9562-6a6f696e7321"
#: Stable ids are derived within this namespace (a random UUID, fixed here once).
_WORKSPACES = "5b0c8a6e-1a0f-4f39-9a55-0d1a0cbe4b7e"
#: A UUID in its usual form.
_ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def new_id() -> str:
    """Return a fresh random id."""
    import uuid  # who only reads ids does not pay for it

    return str(uuid.uuid4())


def stable_id(resolved_path: str) -> str:
    """Return the id of a workspace that has none written: the same for the same resolved path."""
    import uuid

    # Bytes that are no UTF-8 come as surrogates, which uuid5 cannot encode.
    spelt = resolved_path.encode(errors="surrogateescape").decode(errors="backslashreplace")
    return str(uuid.uuid5(uuid.UUID(_WORKSPACES), spelt))


def is_id(text: str) -> bool:
    """Say whether the text is a UUID in its usual form."""
    return _ID.fullmatch(text) is not None


def short(identity: str) -> str:
    """Return the eight characters that name run files and stand in tables."""
    return identity[:8]


def check_name(name: str, longest: int = LONGEST_NAME) -> str:
    """Return the name when people and terminals can bear it.

    Raises:
        InvalidParams: it is empty, too long, holds a slash, or characters that cannot be printed.

    """
    if not name.strip():
        raise InvalidParams("a name must not be empty")
    if len(name) > longest:
        raise InvalidParams(f"a name may have {longest} characters, this one has {len(name)}")
    if "/" in name:
        raise InvalidParams("a name must not contain a slash")
    if not all(map(_is_printable, name)):
        raise InvalidParams("a name must not contain control characters")
    return name


def fitting_name(text: str) -> str:
    """Return a name as near as may be to a text that was not made to be one, e.g. of a directory."""
    letters = [character if _is_printable(character) and character != "/" else "?" for character in text]
    return "".join(letters).strip()[:LONGEST_NAME].strip() or "unnamed"


def _is_printable(character: str) -> bool:
    return unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp")


class Named(NamedTuple):
    """Something that can be meant by id, prefix or name."""

    id: str
    name: str
    #: Among several that fit by name, living ones come first.
    alive: bool = True


def resolve(text: str, things: Iterable[Named], missing: type[NotFound]) -> str:
    """Return the id of the one thing that is meant: by id, by name, or by a unique prefix of an id.

    Raises:
        NotFound: nothing fits (of the given class).
        Ambiguous: more than one fits; the message lists them.

    """
    known = list(things)
    by_id = [thing for thing in known if thing.id == text]
    by_name = [thing for thing in known if thing.name == text]
    living = [thing for thing in by_name if thing.alive]
    # Shorter prefixes are words rather than ids.
    by_prefix = [thing for thing in known if len(text) >= 4 and thing.id.startswith(text.lower())]
    for found in (by_id, living, by_name, by_prefix):
        if len(found) == 1:
            return found[0].id
        if found:
            listed = ", ".join(f"{thing.id} ({thing.name})" for thing in found[:10])
            how = (
                "use more of the id" if len({thing.id for thing in found}) > 1 else "say of which session (-s SESSION)"
            )
            raise Ambiguous(f"{text!r} fits {len(found)}: {listed}; {how}")
    raise missing(f"no {missing.code.removesuffix('_not_found')} is called {text!r}")
