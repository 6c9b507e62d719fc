"""Key state does what a dictionary does, whatever is asked in whichever order, and its history leads there."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descartes_core.agent_life import Cause, State
from descartes_core.errors import Conflict, NotFound
from descartes_core.messages.history import ReadTransitions
from descartes_core.messages.state import DeleteState, GetState, QueryState, RestoreSnapshot, SetState, TakeSnapshot
from descartes_daemon.agents import Agents, Place
from descartes_daemon.asking import Asking
from descartes_daemon.background import Background
from descartes_daemon.keeping import Keeping
from descartes_daemon.notify import Notifier
from descartes_daemon.state.changing import Changing
from descartes_daemon.state.history import History
from descartes_daemon.state.reading import Reading
from descartes_daemon.state.restoring import Restoring
from descartes_daemon.state.snapshots import Snapshots
from descartes_daemon.state.whose import Whose
from descartes_daemon.store import Store
from descartes_daemon.unit import Unit
from tests.support.rows import NOW, added, started

ENDED, LIVING = AGENTS = ("a" * 8, "b" * 8)
KEYS = ("k", "l", "kk")
_VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)
_STEPS = st.lists(
    st.tuples(
        st.sampled_from(("set", "set", "set", "delete", "snapshot", "restore")),
        st.sampled_from(AGENTS),
        st.sampled_from(KEYS),
        _VALUES,
        st.none() | st.integers(0, 6),
    ),
    max_size=30,
)


class Model:
    """What must be true: values and versions, in plain dictionaries."""

    def __init__(self) -> None:
        self.there: dict[tuple[str, str], tuple[Any, int]] = {}
        self.last: dict[tuple[str, str], int] = {}
        self.past: list[tuple[str | None, str | None, str, str, str]] = []
        self.snapshot: dict[tuple[str, str], tuple[Any, int]] | None = None

    def step(self, verb: str, agent: str, key: str, value: Any, expected: int | None) -> str:
        """Return what is answered."""
        if verb in ("snapshot", "restore"):
            return self.take() if verb == "snapshot" else self.restore()
        name = (agent, key)
        present = self.there.get(name, (None, 0))[1]
        if expected is not None and expected != present:
            return "conflict"
        if verb == "delete" and not present:
            return "not_found"
        version = self.last[name] = self.last.get(name, 0) + 1
        before = f"version {version - 1}" if present else "absent"
        if verb == "set":
            self.there[name] = value, version
            self.past.append((agent, key, before, f"version {version}", "set"))
            return "updated" if present else "created"
        del self.there[name]
        self.past.append((agent, key, before, "absent", "deleted"))
        return "deleted"

    def take(self) -> str:
        """Keep what is there; only the last snapshot is of use."""
        self.snapshot = dict(self.there)
        return "taken"

    def restore(self) -> str:
        """Put back what the agent that has ended keeps; the other one lives."""
        if self.snapshot is None:
            return "not_found"
        self.past.append((None, None, "", "", "restored"))
        then = {name: value for name, (value, _) in self.snapshot.items() if name[0] == ENDED}
        now = {name: value for name, (value, _) in self.there.items() if name[0] == ENDED}
        for name in sorted(then):
            if name not in now or json.dumps(now[name]) != json.dumps(then[name]):
                before = f"version {self.last[name]}" if name in now else "absent"
                self.last[name] += 1
                self.there[name] = then[name], self.last[name]
                self.past.append((*name, before, f"version {self.last[name]}", "restored"))
        for name in sorted(now.keys() - then.keys()):
            self.last[name] += 1
            del self.there[name]
            self.past.append((*name, f"version {self.last[name] - 1}", "absent", "restored"))
        return "restored"


@settings(deadline=None)
@given(_STEPS)
def test_state_is_what_a_dictionary_would_be(steps: list[tuple[str, str, str, Any, int | None]]) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        asyncio.run(_tried(Path(directory), steps))


async def _tried(directory: Path, steps: list[tuple[str, str, str, Any, int | None]]) -> None:
    model = Model()
    async with Store.open(directory / "state.db") as store:
        for agent in AGENTS:
            await store.commit(added(agent).also(started(agent)))
        await store.commit(Unit().move(ENDED, State.RUNNING, State.COMPLETED, Cause.ENDED_WELL, at=NOW))
        whose = Whose(_agents(directory, store))
        changing, reading, history = Changing(store, whose), Reading(store, whose), History(store, whose)
        snapshots = Snapshots(store)
        restoring, taken = Restoring(store, snapshots), ""
        for verb, agent, key, value, expected in steps:
            wanted = model.step(verb, agent, key, value, expected)
            if verb == "snapshot":
                taken = (await snapshots.take(TakeSnapshot(), Asking("state.snapshot", "test")))["snapshot"]["id"]
            elif verb == "restore":
                assert await _restored(restoring, taken) == wanted
            else:
                assert await _answered(changing, verb, agent, key, value, expected) == wanted
        page = await reading.query(QueryState())
        found = {(one["agent_id"], one["key"]): (one["value"], one["version"]) for one in page["state"]}
        assert found == model.there
        for agent in AGENTS:
            for key in KEYS:
                await _check_one(reading, model, agent, key)
        told = (await history.transitions(ReadTransitions(of="keys")))["transitions"]
        assert [(one["agent_id"], one["key"], one["was"], one["became"], one["cause"]) for one in told] == model.past


def _agents(directory: Path, store: Store) -> Agents:
    place = Place("s", str(directory), directory, str(directory / "socket"))
    return Agents(place, store, Keeping(Notifier(None), None, {}), Background())


async def _restored(restoring: Restoring, taken: str) -> str:
    try:
        done = await restoring.restore(RestoreSnapshot(snapshot_id=taken or "none"), Asking("state.restore", "test"))
    except NotFound as error:
        return error.code
    assert [one["id"] for one in done["living"]] == [LIVING]
    return "restored"


async def _answered(changing: Changing, verb: str, agent: str, key: str, value: Any, expected: int | None) -> str:
    asking, named = Asking(f"state.{verb}", "test"), {"agent_id": agent, "key": key, "expected_version": expected}
    try:
        if verb == "set":
            reply = await changing.set(SetState.model_validate({**named, "value": value}), asking)
        else:
            reply = await changing.delete(DeleteState.model_validate(named), asking)
    except (Conflict, NotFound) as error:
        return error.code
    return str(reply["event_type"])


async def _check_one(reading: Reading, model: Model, agent: str, key: str) -> None:
    asked = GetState(agent_id=agent, key=key)
    if (agent, key) in model.there:
        one = await reading.get(asked)
        assert (one["value"], one["version"]) == model.there[agent, key]
        return
    with pytest.raises(NotFound):
        await reading.get(asked)
