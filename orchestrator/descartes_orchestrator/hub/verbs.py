"""What the hub's own user may ask at its Unix socket."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from descartes_core import VERSION
from descartes_core.bus.invitation import KEY_LENGTH, Invitation, write_token
from descartes_core.errors import InvalidParams, MethodNotFound, Unavailable
from descartes_core.jsonrpc import Call
from descartes_core.times import written
from descartes_local.bus_file import Keys
from descartes_local.code_stamp import loaded_stamp
from descartes_orchestrator.hub.conversation import Conversation
from descartes_orchestrator.hub.enrolment import USUAL_TTL, Enrolled, Enrolment
from descartes_orchestrator.hub.joining import make_keys
from descartes_orchestrator.hub.roll import Present, Roll, labels_of
from descartes_orchestrator.hub.settings import Settings
from descartes_orchestrator.hub.telling import peer_row, state_of
from descartes_orchestrator.supervisor.connections import Answer

Params = dict[str, Any]


class Verbs:
    """Answers calls."""

    def __init__(
        self,
        settings: Settings,
        keys: Keys,
        enrolment: Enrolment,
        roll: Roll,
        conversation: Conversation,
        tally: Callable[[], Params],
    ) -> None:
        self._settings, self._keys, self._enrolment, self._roll = settings, keys, enrolment, roll
        self._conversation, self._tally = conversation, tally
        self._started_at = written(time.time())
        #: Where it listens; set once it does.
        self.endpoint = settings.endpoint
        self._verbs: dict[str, Callable[[Params], Any]] = {
            "hub.status": self._status,
            "hub.enroll": self._enroll,
            "hub.admit": self._admit,
            "hub.peers": self._peers,
            "hub.revoke": self._revoke,
            "hub.drain": self._drain,
        }

    def take(self, call: Call, answer: Answer) -> None:
        """Answer a call.

        Raises:
            DescartesError: why it is refused.

        """
        if call.method not in self._verbs:
            raise MethodNotFound(f"the hub knows no {call.method[:100]!r}")
        try:
            answer.give(self._verbs[call.method](call.params))
        except OSError as error:
            raise Unavailable(f"it cannot be written down, so it was not done: {error}") from error

    def _status(self, _: Params) -> Params:
        there = [one for one in self._roll.by_name.values() if one.connection is not None]
        tally = self._tally()
        return {
            "pid": os.getpid(),
            "endpoint": self.endpoint,
            "public_key": self._keys.public,
            "peers": len(there),
            "agents": self._conversation.agents(),
            "messages": tally["messages"],
            "server_id": self._settings.server_id,
            "instance_id": self._settings.instance_id,
            "started_at": self._started_at,
            "version": VERSION,
            "stamp": loaded_stamp(),
            "enrolled": len(list(self._enrolment)),
            "connected": {role: sum(one.who.role == role for one in there) for role in ("daemon", "runner", "client")},
            "statistics": tally,
        }

    def _enroll(self, params: Params) -> Params:
        keys = make_keys()
        made = self._enrolment.invite(
            keys.public,
            role=_text(params, "role"),
            name=_text(params, "name"),
            labels=_texts(params, "labels"),
            ttl=_seconds(params, "ttl"),
        )
        endpoint = _text(params, "endpoint") or self.endpoint
        token = write_token(Invitation(endpoint, self._keys.public, keys.secret))
        told = {"token": token, "role": made.role, "name": made.name or None, "labels": list(made.labels)}
        return {**told, "endpoint": endpoint, "expires_at": written(made.expires_at)}

    def _admit(self, params: Params) -> Params:
        key = _text(params, "public_key")
        if len(key) != KEY_LENGTH:
            raise InvalidParams(f"public_key has {KEY_LENGTH} characters")
        who = self._enrolment.admit(key, role=_text(params, "role"), name=_text(params, "name"))
        return {"name": who.name, "role": who.role, "hub_key": self._keys.public, "endpoint": self.endpoint}

    def _peers(self, params: Params) -> Params:
        role = _text(params, "role")
        there: dict[str, list[Present]] = {}
        for present in self._roll.by_name.values():
            there.setdefault(present.who.key, []).append(present)
        asked = (who for who in self._enrolment if role in ("", who.role))
        rows = [row for who in asked for row in self._rows(who, there.get(who.key, []))]
        return {"peers": sorted(rows, key=lambda row: (row["role"], row["name"]))}

    def _revoke(self, params: Params) -> Params:
        self._refuse_other(_text(params, "name"), _text(params, "role"))
        who = self._conversation.revoke(_text(params, "name"))
        return {"name": who.name, "role": who.role}

    def _drain(self, params: Params) -> Params:
        is_drained = params.get("drain", True)
        if not isinstance(is_drained, bool):
            raise InvalidParams("drain must be true or false")
        who = self._conversation.drain(_text(params, "name"), is_drained=is_drained)
        return {"name": who.name, "is_drained": who.is_drained}

    def _refuse_other(self, name: str, role: str) -> None:
        found = next((who for who in self._enrolment if who.name == name), None)
        if role and found is not None and found.role != role:
            raise InvalidParams(f"{name} is a {found.role}, and no {role}: descartes hub revoke {name}")

    def _rows(self, who: Enrolled, there: list[Present]) -> list[Params]:
        """Return a row for each of its sockets that is there, or was; one where there is none."""
        refusal = self._conversation.refusals.get(who.name)
        now, wall = time.monotonic(), time.time()
        rows = []
        for present in [*there, *([] if there else [None])]:
            told = self._roll.told(present, now, wall) if present is not None else None
            labels = labels_of(present) if present is not None else who.labels
            row = peer_row(who, told, state_of(told, refusal), labels)
            rows.append({**row, "failure": refusal if told is None or told.state != "connected" else None})
        return rows


def _text(params: Params, name: str) -> str:
    value = params.get(name, "")
    if not isinstance(value, str) or "\0" in value:
        raise InvalidParams(f"{name} must be a text")
    return value


def _texts(params: Params, name: str) -> list[str]:
    value = params.get(name, [])
    if not isinstance(value, list) or any(not isinstance(text, str) for text in value):
        raise InvalidParams(f"{name} must be a list of texts")
    return value


def _seconds(params: Params, name: str) -> float:
    value = params.get(name, USUAL_TTL)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise InvalidParams(f"{name} must be a number of seconds")
    return float(value)
