"""`kill -9` at random moments of snapshots and restores: each is there whole or not at all, and done once."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import threading
from contextlib import closing
from typing import Any

import pytest

from descartes_core.ids import new_id
from tests.support.kept_daemon import KeptDaemon, kept_daemon
from tests.support.person import Person
from tests.support.programs import agent

#: DESCARTES' own variables are wiped in tests; this one is the tests' own.
SEED = int(os.environ.get("STORM_SEED", "0")) or random.SystemRandom().randrange(1 << 30)
KEYS = 60

State = dict[tuple[str, str], Any]


class Stage:
    """Two agents that have ended, one that lives, and a daemon that is killed all the time."""

    def __init__(self, kept: KeptDaemon, dice: random.Random) -> None:
        self.kept, self._dice = kept, dice
        self.ended = [kept.spawn(["true"])["id"] for _ in range(2)]
        for identity in self.ended:
            kept.ended(identity)
        self.living = kept.spawn(agent("silent"))["id"]
        kept.call("state.set", agent_id=self.living, key="mine", value="untouched")
        #: Kills that came before the answer.
        self.struck = 0

    def fill(self, word: str, count: int) -> None:
        """Let each ended agent keep so many values, and nothing else."""
        for identity, key in self.state():
            if identity != self.living and int(key) >= count:
                self.kept.call("state.delete", agent_id=identity, key=key)
        for identity in self.ended:
            for number in range(count):
                value = [word, number]
                self.kept.call("state.set", agent_id=identity, key=str(number), value=value)

    def state(self) -> State:
        """Return all that is kept."""
        page = self.kept.call("state.query", limit=10_000)
        return {(one["agent_id"], one["key"]): one["value"] for one in page["state"]}

    def restored(self) -> list[dict[str, Any]]:
        """Return every change that a restore has made."""
        told: list[dict[str, Any]] = []
        after: int | None = 0
        while after is not None:
            page = self.kept.call("state.transitions", of="keys", cause="restored", after=after)
            told += page["transitions"]
            after = page["next"]
        return told

    def strike(self, method: str, usual: float, **params: Any) -> Any:
        """Ask for something, kill the daemon about when it is done, and ask for it once more."""
        request, pid = new_id(), self.kept.pid
        with self.kept.begin(method, **params, request_id=request) as connection:
            # A random moment is what is wanted here; nothing waits for it.
            threading.Event().wait(self._dice.uniform(0.0, usual))
            self.kept.kill(pid)
            connection.socket.settimeout(5)
            try:
                self.struck += not connection.socket.recv(1)
            except OSError:
                self.struck += 1
        between = self.state()
        answer = self.kept.call(method, **params, request_id=request)
        assert answer == self.kept.call(method, **params, request_id=request)
        return between, answer


@pytest.mark.timeout(600)
@pytest.mark.parametrize("times", [pytest.param(6, id="6"), pytest.param(150, id="150", marks=pytest.mark.soak)])
def test_a_kill_leaves_each_whole_or_not_at_all(person: Person, times: int) -> None:
    dice = random.Random(SEED)
    with kept_daemon(person) as kept:
        stage = Stage(kept, dice)
        states: dict[str, State] = {}
        for word, count in (("a", KEYS), ("b", KEYS // 2)):
            stage.fill(word, count)
            taken = [stage.strike("state.snapshot", 0.02, description=word)[1]["snapshot"] for _ in range(times // 2)]
            assert [one["keys"] for one in taken] == [2 * count + 1] * len(taken), f"seed {SEED}"
            states[taken[-1]["id"]] = stage.state()
        listed = kept.call("state.snapshots")["snapshots"]
        assert len({one["id"] for one in listed}) == len(listed) == 2 * (times // 2), f"seed {SEED}"
        before, moved = stage.state(), 0
        for _ in range(times):
            wanted = dice.choice(list(states))
            between, done = stage.strike("state.restore", 0.03, snapshot_id=wanted)
            assert between in (before, states[wanted]), f"seed {SEED}"
            assert stage.state() == states[wanted], f"seed {SEED}"
            assert [one["id"] for one in done["living"]] == [stage.living]
            moved += states[wanted] != before
            assert (done["keys_set"] > 0) == (states[wanted] != before), f"seed {SEED}"
            before = states[wanted]
        assert stage.struck, "nothing was struck in time"
        told = stage.restored()
        assert sum(one["agent_id"] is None for one in told) == times
        assert {one["agent_id"] for one in told} <= {None, *stage.ended}
        path = person.home.session(kept.id) / "state.db"
    with closing(sqlite3.connect(path)) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        wrong = "SELECT count(*) FROM agent_state s LEFT JOIN state_changes c ON c.id = s.change WHERE c.value IS NULL"
        assert store.execute(wrong).fetchone() == (0,)
        events = [json.loads(row[0]) for row in store.execute("SELECT data FROM events WHERE event_type = 'restored'")]
        assert len(events) == times
