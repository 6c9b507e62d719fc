"""Somebody who works with agents on another machine, and what must be true of each of them afterwards."""

from __future__ import annotations

import os
import random
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from descartes_core.errors import DescartesError, Unavailable
from descartes_core.ids import is_id, new_id
from descartes_local.home import Home
from descartes_local.processes import environ_of, every_stat
from tests.support.programs import agent
from tests.support.storm import Hand, complaints

_ECHOER = agent("echoer")
_MARKED = 'echo $$ >> "$0"; exec "$@"'
#: Until a runner has room, or is back (seconds).
_WITHIN = 60.0


class FarHand(Hand):
    """A hand whose agents run on runners; each program leaves a mark as it begins."""

    def __init__(
        self, home: Home, session_id: str, directory: Path, dice: random.Random, over: threading.Event, on: str
    ) -> None:
        super().__init__(home, session_id, directory, dice, over)
        self._on = on
        self._marks = directory / "marks"
        self._marks.mkdir(exist_ok=True)
        #: Not acknowledged, and why: what ran of them must have ended.
        self.refused: dict[str, str] = {}
        #: Typed, and not confirmed: heard once, or not at all.
        self.unknown: dict[str, list[str]] = {}
        self.wrong: list[str] = []

    @property
    def counts(self) -> dict[str, object]:
        """What was tried: a storm that met nobody proves nothing."""
        return {
            "agents": len(self.spawned),
            "typed": sum(map(len, self.confirmed.values())),
            "unknown": sum(map(len, self.unknown.values())),
            "refused": dict(Counter(self.refused.values())),
        }

    def work(self) -> None:
        """Spawn, type, wait, check; again."""
        while not self.over.is_set():
            self.dice.choice((self._flood, self._typed, self._short))()

    def _spawn(self, command: Sequence[str], code: int) -> str | None:
        identity = new_id()
        marked = ["sh", "-c", _MARKED, str(self._marks / identity), *command]
        params = {"agent_id": identity, "request_id": new_id(), "command": marked, "on": self._on}
        more = {"queue": True, "within": _WITHIN, "tty": self.dice.random() < 0.5}
        try:
            told = self._spawned({**params, **more})
        except DescartesError as error:
            self.refused[identity] = error.code
            return None
        if told["id"] != identity:
            self.wrong.append(f"{identity} was asked for, {told['id']} answered")
        self.spawned[identity] = {"code": code, "is_kept": "not in keeping" not in str(told["notice"])}
        return identity

    def _spawned(self, params: dict[str, Any]) -> dict[str, Any]:
        """Return the agent; where nobody knows yet whether it runs, ask until somebody does."""
        while True:
            try:
                told: dict[str, Any] = self._ask("agent.spawn", params)["agent"]
                return told
            except Unavailable as error:
                if "not known yet" not in error.message:
                    raise

    def _flood(self) -> None:
        code, told = self.dice.randrange(0, 100), self.directory / f"told-{new_id()}"
        lines, pause = self.dice.choice([(300_000, 0.0), (60_000, 0.01), (2000, 0.1)])
        much = (self.dice.randrange(1, lines), "--pause", pause)
        if (identity := self._spawn(agent("loud", *much, "--checksum", told, "--code", code), code)) is not None:
            self.spawned[identity]["told"] = told
            self._wait(identity)

    def _short(self) -> None:
        code, pause = self.dice.randrange(0, 100), self.dice.choice([0, 0, 1, 4])
        words = f"sleep {pause}; echo said by {code}; exit {code}"
        if (identity := self._spawn(["sh", "-c", words], code)) is not None:
            self.spawned[identity]["said"] = f"said by {code}"
            self._wait(identity)

    def _typed(self) -> None:
        code = self.dice.randrange(0, 100)
        if (identity := self._spawn(_ECHOER, code)) is None:
            return
        self.confirmed[identity], self.unknown[identity] = [], []
        for number in range(self.dice.randrange(1, 9)):
            word = f"word-{number}-{identity}"
            where = self.confirmed if self._type(identity, f"{word}\n") else self.unknown
            where[identity].append(word)
        # An unknown outcome must not be repeated blindly, so the end is asked for until it has come.
        while not self._wait(identity, 3.0):
            self._type(identity, f"exit {code}\n")

    def _type(self, identity: str, text: str) -> bool:
        with suppress(DescartesError):
            self._ask("agent.write", {"agent_id": identity, "request_id": new_id(), "text": text})
            return True
        return False

    def complaints(self, agents: dict[str, dict[str, Any]], logs: Path) -> list[str]:
        """Return what is not as it must be after the storm."""
        found = self.wrong + complaints([self], agents, logs)
        for identity in (*self.spawned, *self.refused):
            began = _lines(self._marks / identity)
            if began > 1 or (began == 0 and identity in self.spawned):
                found.append(f"{identity} began {began} times ({self.refused.get(identity)})")
        for identity, wanted in self.spawned.items():
            log = (logs / identity / "output.log").read_bytes()
            if "said" in wanted and log.split() != wanted["said"].encode().split():
                found.append(f"{identity} said {log!r}, not {wanted['said']}")
            heard = {word: log.count(f"heard: {word}".encode()) for word in self.unknown.get(identity, [])}
            found += [
                f"{identity} heard {word} {count} times, unconfirmed" for word, count in heard.items() if count > 1
            ]
        return found + [f"{one} still runs" for one in sorted(living() & {*self.spawned, *self.refused})]


def living() -> set[str]:
    """Return the agents of whom a process is there."""
    found = set()
    for stat in every_stat():
        marks = [] if stat.is_dead else environ_of(stat.process.pid).split(b"\0")
        ids = [mark.partition(b"=")[2].decode() for mark in marks if mark.startswith(b"DESCARTES_AGENT_ID=")]
        found |= {one for one in ids if is_id(one)}
    return found


def _lines(path: Path) -> int:
    return path.read_text().count("\n") if os.path.exists(path) else 0
