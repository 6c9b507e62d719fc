"""Which keys the hub knows, and whom it has invited: peers.json, written before it counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

from descartes_core.bus.messages import Role
from descartes_core.bus.placing import ANY
from descartes_core.errors import ConfigInvalid, Conflict, InvalidParams, NameTaken, NotFound, Unauthorized
from descartes_core.ids import check_name, fitting_name
from descartes_local.json_file import read_json, write_json

FORMAT = 1
ROLES: tuple[str, ...] = get_args(Role)
#: Peers may be named by labels and by these, so they are kept plain.
_NOT_IN_NAMES = "#,"
_LONGEST_LABEL = 100
_MOST_LABELS = 50
#: Seconds a token works where nobody says otherwise, and at most.
USUAL_TTL, LONGEST_TTL = 3600.0, 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A key that is let in, and as whom."""

    name: str
    role: str
    #: CURVE public key, Z85.
    key: str
    labels: tuple[str, ...] = ()
    is_drained: bool = False
    #: Unix seconds.
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Invited:
    """An invitation, by the public half of its key; the secret half is known to who has the token."""

    key: str
    role: str
    name: str
    labels: tuple[str, ...]
    expires_at: float
    #: The key that was enrolled by it; who has lost the answer asks again with the same.
    spent_for: str | None = None


class Enrolment:
    """The keys; every change is on disk before it holds."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        """Read them.

        Raises:
            ConfigInvalid: the file cannot be read: who is enrolled would be lost if it were replaced.

        """
        self._path, self._clock = path, clock
        self._by_key: dict[str, Enrolled] = {}
        self._invited: dict[str, Invited] = {}
        self._read()

    def __iter__(self) -> Iterator[Enrolled]:
        return iter(list(self._by_key.values()))

    def get(self, key: str) -> Enrolled | None:
        """Return who has this key."""
        return self._by_key.get(key)

    def named(self, name: str) -> Enrolled:
        """Return who is enrolled by this name.

        Raises:
            NotFound: nobody.

        """
        found = next((one for one in self._by_key.values() if one.name == name), None)
        if found is None:
            raise NotFound(f"nobody is enrolled as {name!r}: `descartes hub peers` lists all")
        return found

    def invited(self, key: str) -> Invited | None:
        """Return the invitation with this key, while it counts."""
        found = self._invited.get(key)
        return found if found is not None and found.expires_at > self._clock() else None

    def lets_in(self, key: str) -> bool:
        """Say whether a key may connect at all."""
        return key in self._by_key or self.invited(key) is not None

    def invite(self, key: str, *, role: str, name: str, labels: Sequence[str], ttl: float) -> Invited:
        """Let a key in once, for a time, to enroll another.

        Raises:
            InvalidParams: role, name, labels or time are none.
            NameTaken: somebody has that name.
            OSError: it cannot be written.

        """
        self._check(role, name, labels)
        if not 0 < ttl <= LONGEST_TTL:
            raise InvalidParams(f"a token works for more than 0 s and at most {LONGEST_TTL:g} s")
        if name:
            self._refuse_taken(name)
        made = Invited(key, role, name, tuple(labels), self._clock() + ttl)
        self._write({**self._by_key}, {**self._invited, key: made})
        return made

    def redeem(self, invitation: str, key: str, name: str, role: str | None = None) -> Enrolled:
        """Enroll a key by an invitation; a repeat with the same key is answered again.

        Raises:
            Unauthorized: the invitation does not count any more.
            Conflict: it is for another role than the newcomer's.
            NameTaken: somebody has its name by now.
            InvalidParams: the newcomer has a name of its own that is none, or another one's key.
            OSError: it cannot be written.

        """
        found = self.invited(invitation)
        if found is None or found.spent_for not in (None, key):
            raise Unauthorized("this token was used, has expired, or was taken back")
        if role not in (None, found.role):
            raise Conflict(
                f"this token is for a {found.role}, and not spent: descartes hub enroll --role {role} makes another"
            )
        if found.spent_for == key:
            if key not in self._by_key:
                raise Unauthorized("this key was taken back since")
            return self._by_key[key]
        if key in self._by_key:
            name = self._by_key[key].name
            raise InvalidParams(
                f"this key is enrolled as {name}: descartes hub revoke {name} there, or make a fresh one"
            )
        if key in self._invited:
            raise InvalidParams("this key is an invitation's: make a fresh one")
        if found.name:
            self._refuse_taken(found.name)
        made = Enrolled(found.name or self._free(name), found.role, key, found.labels, at=self._clock())
        spent = replace(found, spent_for=key)
        self._write({**self._by_key, key: made}, {**self._invited, invitation: spent})
        return made

    def admit(self, key: str, *, role: str, name: str, labels: Sequence[str] = ()) -> Enrolled:
        """Enroll a key without a token, as the hub's own user may; the same key again is the same.

        Raises:
            InvalidParams: role or name are none.
            OSError: it cannot be written.

        """
        self._check(role, name, labels)
        found = self._by_key.get(key)
        if found is not None and found.role == role:
            return found
        made = Enrolled(self._free(name), role, key, tuple(labels), at=self._clock())
        self._write({**self._by_key, key: made}, self._invited)
        return made

    def revoke(self, name: str) -> Enrolled:
        """Know a key no longer, and take back the tokens of its name that nobody has used.

        Raises:
            NotFound: nobody has that name, and no token.
            OSError: it cannot be written; it is known on.

        """
        # Whoever has another token for the name would come by it.
        invited = {key: one for key, one in self._invited.items() if one.spent_for or not name or one.name != name}
        taken_back = [one for key, one in self._invited.items() if key not in invited]
        try:
            found = self.named(name)
        except NotFound:
            if not taken_back:
                raise
            found = Enrolled(name, taken_back[0].role, taken_back[0].key)
        left = {key: one for key, one in self._by_key.items() if one is not found}
        self._write(left, invited)
        return found

    def drain(self, name: str, *, is_drained: bool) -> Enrolled:
        """Remember whether a runner is to get no more agents.

        Raises:
            NotFound: no runner has that name.
            OSError: it cannot be written.

        """
        found = self.named(name)
        if found.role != "runner":
            raise NotFound(f"{name} is a {found.role}, and no runner")
        changed = replace(found, is_drained=is_drained)
        self._write({**self._by_key, found.key: changed}, self._invited)
        return changed

    def _check(self, role: str, name: str, labels: Sequence[str]) -> None:
        if role not in ROLES:
            raise InvalidParams(f"a role is one of {', '.join(ROLES)}")
        for text in (*([name] if name else []), *labels):
            check_name(text, _LONGEST_LABEL)
            if any(sign in text for sign in _NOT_IN_NAMES):
                raise InvalidParams(f"{text!r}: names and labels hold none of {' '.join(_NOT_IN_NAMES)}")
            if text.startswith(".") or text == ANY:
                raise InvalidParams(f"{text!r} is no name: it would mean something else")
        if len(labels) > _MOST_LABELS:
            raise InvalidParams(f"{_MOST_LABELS} labels are enough")

    def _refuse_taken(self, name: str) -> None:
        if any(one.name == name for one in self._by_key.values()):
            raise NameTaken(f"{name} is enrolled already: descartes hub revoke {name} makes room")

    def _free(self, wish: str) -> str:
        """Return a name that nobody has, as near as may be to the one that is wished for."""
        plain = wish.translate({ord(sign): "-" for sign in _NOT_IN_NAMES}).lstrip(". ")
        base = fitting_name(plain)[: _LONGEST_LABEL - 8]
        taken = {ANY, *(one.name for one in self._by_key.values())}
        names = (base if count == 1 else f"{base}-{count}" for count in range(1, len(taken) + 2))
        return next(name for name in names if name not in taken)

    def _read(self) -> None:
        try:
            told = read_json(self._path)
            if told["format"] != FORMAT:
                raise ValueError(f"format {told['format']} is not known here")
            self._by_key = {one["key"]: Enrolled(**_tupled(one)) for one in told["peers"]}
            self._invited = {one["key"]: Invited(**_tupled(one)) for one in told["invitations"]}
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ConfigInvalid(
                f"{self._path} cannot be used: {error}; put a whole one there, or remove it and enroll everybody anew"
            ) from error

    def _write(self, peers: dict[str, Enrolled], invited: dict[str, Invited]) -> None:
        counting = {key: one for key, one in invited.items() if one.expires_at > self._clock()}
        told = {
            "format": FORMAT,
            "peers": [asdict(one) for one in peers.values()],
            "invitations": [asdict(one) for one in counting.values()],
        }
        write_json(self._path, told)
        self._by_key, self._invited = peers, counting


def _tupled(told: dict[str, Any]) -> dict[str, Any]:
    return {**told, "labels": tuple(told["labels"])}
