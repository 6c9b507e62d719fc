"""A workspace in a storm: who works in it, and what must be true of each of them afterwards."""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed

from descartes_core.ids import new_id
from tests.support.page import Hearer, Page
from tests.support.person import Person
from tests.support.programs import agent
from tests.support.storm import PATIENCE, Hand, Knocker, ask, complaints, run_of

#: Lines in one piece of a flood that lasts as long as the storm, and the pause between two (seconds).
_BLOCK, _PAUSE = 200, 0.02
#: Visits a second would be many: four places share a small machine.
_KNOCK = 0.05
_LAST_WORDS = b"ready\r\nit is gone\r\n"


class Typist(threading.Thread):
    """Types words into one agent by a terminal socket, and looks for what comes back."""

    def __init__(self, page: Page, over: threading.Event) -> None:
        super().__init__(name="typist")
        self._page, self._over = page, over
        self.heard: list[str] = []
        #: Typed into a connection that broke: heard once, or not at all.
        self.unknown: list[str] = []

    def run(self) -> None:
        """Type until the storm is over."""
        with closing(self._page) as page:
            number = 0
            while not self._over.wait(0.05):
                self._say(page, f"typed-{number}-{new_id()}")
                number += 1

    def _say(self, page: Page, word: str) -> None:
        page.forget()
        returns = page.returns
        try:
            page.type(f"{word}\r")
        except (ConnectionClosed, OSError):
            self.unknown.append(word)
            page.read(PATIENCE)
            return
        ends = time.monotonic() + PATIENCE
        while f"heard: {word}" not in page.text:
            if page.returns != returns:
                self.unknown.append(word)
                return
            assert page.read(ends - time.monotonic()), f"{word} was not heard"
        self.heard.append(word)


class Place:
    """One session, a flood that is watched, somebody who types, and agents that come and go."""

    def __init__(self, person: Person, number: int, dice: random.Random) -> None:
        self.person, self.dice = person, dice
        self._code = number
        self.over, self._until = threading.Event(), person.directory / f"over-{number}"
        self.shop = person.workspace(f"shop-{number}")
        session = person.run("sessions", "start", self.shop, "--json").json
        self.id: str = session["id"]
        self.knocker = Knocker(int(session["http_endpoint"].rpartition(":")[2]), _KNOCK)
        self.hand = Hand(person.home, self.id, person.directory, random.Random(dice.random()), self.over)
        self._told = person.directory / f"told-{number}"
        self._mourners: dict[str, int] = {}
        #: Of these it was said at once that they may be lost with their daemon.
        self._not_kept: set[str] = set()
        until = ("--until", self._until, "--checksum", self._told)
        flood = agent("loud", 100_000_000, "--block", _BLOCK, "--pause", _PAUSE, "--code", number, *until)
        self.flood, self.echoer = self.spawn(flood), self.spawn(agent("echoer"))
        where = session["ws_endpoint"], person.home.path
        self._watcher = Hearer(*where, self.flood, "from=0&mode=ro")
        self._typist = Typist(Page(*where, self.echoer), self.over)
        watch = threading.Thread(target=self._watcher.to_the_end, name="watcher")
        self._threads = [threading.Thread(target=self.hand.work, name="hand"), self._typist, watch]

    def begin(self) -> None:
        """Let everybody work."""
        for thread in (self.knocker, *self._threads):
            thread.start()

    def ask(self, method: str, **params: Any) -> Any:
        """Ask the session's daemon, whichever it is."""
        return ask(run_of(self.person.home, self.id).socket, method, params)

    def spawn(self, command: Sequence[str]) -> str:
        """Spawn an agent and return its id."""
        asked = {"agent_id": new_id(), "request_id": new_id(), "command": list(command)}
        told = self.ask("agent.spawn", cwd=str(self.person.directory), **asked)["agent"]
        if "not in keeping" in str(told["notice"]):
            self._not_kept.add(told["id"])
        return str(told["id"])

    def mourn(self, pid: int) -> None:
        """Spawn an agent that ends when this process does."""
        code = self.dice.randrange(1, 100)
        self._mourners[self.spawn(agent("mourner", pid, code))] = code

    def end(self) -> None:
        """Let everybody come to an end."""
        self.over.set()
        self._until.touch()
        for thread in self._threads:
            thread.join()
        self.ask("agent.write", agent_id=self.echoer, request_id=new_id(), text="exit 7\n")
        for identity in (self.flood, self.echoer, *self._mourners):
            assert self.ask("agent.wait", agent_id=identity, timeout=PATIENCE)["ended"], identity
        self.knocker.stopped.set()
        self.knocker.join()

    def complaints(self, agents: dict[str, dict[str, Any]]) -> list[str]:
        """Return what is not as it must be, given all agents as they are told afterwards."""
        found = complaints([self.hand], agents, self._logs)
        codes = {self.flood: self._code, self.echoer: 7, **self._mourners}
        lost = {identity for identity in self._not_kept if agents[identity]["exit_code"] is None}
        for identity, code in codes.items():
            if identity not in lost and (ended := agents[identity])["exit_code"] != code:
                found.append(f"{identity} ended with {ended['exit_code']}, {ended['signal']}, not {code}: {ended}")
        found += [
            f"{one} said {log!r}" for one in self._mourners.keys() - lost if (log := self._log(one)) != _LAST_WORDS
        ]
        found += [f"refused: {why}" for why in self.knocker.refused]
        return found + self._flooded() + self._typed()

    @property
    def counts(self) -> dict[str, int]:
        """What was tried: a storm that met nobody proves nothing."""
        typist, knocker = self._typist, self.knocker
        return {
            "agents": len(self.hand.spawned) + len(self._mourners) + 2,
            "not kept": len(self._not_kept) + sum(not one["is_kept"] for one in self.hand.spawned.values()),
            "flood": self._watcher.size,
            "returns": self._watcher.returns,
            "heard": len(typist.heard),
            "unknown": len(typist.unknown),
            "answers": knocker.answers,
            "cut": knocker.cut,
        }

    def _flooded(self) -> list[str]:
        right = json.loads(self._told.read_text())
        log, seen = self._log(self.flood), self._watcher
        said = {
            "told": (right["bytes"], right["sha256"]),
            "kept": (len(log), hashlib.sha256(log).hexdigest()),
            "seen": (seen.size, seen.heard.hexdigest()),
        }
        return [] if len(set(said.values())) == 1 else [f"the flood {self.flood}: {said}"]

    def _typed(self) -> list[str]:
        log, typist = self._log(self.echoer), self._typist
        counts = {word: log.count(f"heard: {word}".encode()) for word in (*typist.heard, *typist.unknown)}
        wrong = [word for word, count in counts.items() if count > 1 or (count == 0 and word in typist.heard)]
        return [f"{word} was heard {counts[word]} times" for word in wrong]

    @property
    def _logs(self) -> Path:
        return self.person.home.session(self.id) / "agents"

    def _log(self, identity: str) -> bytes:
        return (self._logs / identity / "output.log").read_bytes()
