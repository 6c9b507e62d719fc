"""What agents keep under keys: set, read, deleted, once and in turn."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import (
    AgentNotFound,
    Conflict,
    InvalidParams,
    LimitReached,
    NotFound,
    TooLarge,
)
from descartes_core.messages.state import LARGEST_VALUE
from descartes_daemon.unit import Unit
from tests.support.inside import Inside, open_inside
from tests.support.rows import NOW, added

pytestmark = pytest.mark.anyio

A = "aaaaaaaa-0000-4000-8000-000000000000"
B = "bbbbbbbb-0000-4000-8000-000000000000"


async def with_agents(inside: Inside) -> None:
    for identity, name in ((A, "fixer"), (B, "tester")):
        await inside.daemon.store.commit(added(identity, name=name))


async def keep(inside: Inside, key: str, value: Any, agent: str = "fixer", **more: Any) -> Any:
    return await inside.call("state.set", agent_id=agent, key=key, value=value, **more)


async def read(inside: Inside, key: str, agent: str = "fixer", **more: Any) -> Any:
    return (await inside.call("state.get", agent_id=agent, key=key, **more))["value"]


async def test_a_value_is_kept_and_counted(short: Path) -> None:
    async with open_inside(short) as inside:
        await with_agents(inside)
        value = {"n": [1, 2.5, None, True, "żółw 🚀"], "": {}}
        first = await keep(inside, "plan", value)
        assert first == {"agent_id": A, "key": "plan", "version": 1, "event_type": "created"}
        assert await read(inside, "plan") == value
        second = await keep(inside, "plan", None)
        assert (second["version"], second["event_type"]) == (2, "updated")
        assert await read(inside, "plan") is None
        gone = await inside.call("state.delete", agent_id=A[:8], key="plan")
        assert (gone["version"], gone["event_type"]) == (3, "deleted")
        with pytest.raises(NotFound):
            await read(inside, "plan")
        with pytest.raises(NotFound):
            await inside.call("state.delete", agent_id=A, key="plan")
        assert (await keep(inside, "plan", 4))["version"] == 4
        assert [await read(inside, "plan", version=number) for number in (1, 2, 4)] == [value, None, 4]
        with pytest.raises(NotFound, match="its deletion"):
            await read(inside, "plan", version=3)


async def test_a_version_may_be_a_condition(short: Path) -> None:
    async with open_inside(short) as inside:
        await with_agents(inside)
        with pytest.raises(Conflict, match="not there, and not version 1"):
            await keep(inside, "k", 1, expected_version=1)
        await keep(inside, "k", 1, expected_version=0)
        with pytest.raises(Conflict, match="version 1, and not version 0"):
            await keep(inside, "k", 2, expected_version=0)
        with pytest.raises(Conflict):
            await inside.call("state.delete", agent_id=A, key="k", expected_version=2)
        await inside.call("state.delete", agent_id=A, key="k", expected_version=1)
        with pytest.raises(Conflict):
            await keep(inside, "k", 2, expected_version=2)  # the version of its deletion is none that is there
        assert (await keep(inside, "k", 2, expected_version=0))["version"] == 3


async def test_of_many_who_expect_the_same_one_is_served(short: Path) -> None:
    async with open_inside(short) as inside:
        await with_agents(inside)
        await keep(inside, "k", "first")
        tries = [keep(inside, "k", number, expected_version=1) for number in range(20)]
        answers = await asyncio.gather(*tries, return_exceptions=True)
        done = [number for number, answer in enumerate(answers) if not isinstance(answer, BaseException)]
        assert len(done) == 1
        assert all(isinstance(answer, Conflict) for number, answer in enumerate(answers) if number not in done)
        assert await read(inside, "k") == done[0]
        versions = [one["version"] for one in await asyncio.gather(*(keep(inside, "k", 0) for _ in range(20)))]
        assert sorted(versions) == list(range(3, 23))


async def test_a_repeat_is_not_done_twice(short: Path) -> None:
    async with open_inside(short) as inside:
        await with_agents(inside)
        first = await keep(inside, "k", 1, request_id="r")
        await keep(inside, "k", 2)
        assert await keep(inside, "k", 1, request_id="r") == first
        assert await read(inside, "k") == 2
        with pytest.raises(Conflict):
            await keep(inside, "other", 1, expected_version=7, request_id="refused")
        assert (await keep(inside, "other", 1, request_id="refused"))["version"] == 1


async def test_a_change_is_told_without_its_value(short: Path) -> None:
    async with open_inside(short) as inside:
        await with_agents(inside)
        since = inside.daemon.feed.last_seq
        await keep(inside, "k", "secret")
        await keep(inside, "k", "secret")
        await inside.call("state.delete", agent_id=A, key="k")
        events = (await inside.call("event.list", since=since))["events"]
        assert [(one["type"], one["event_type"], one["agent_id"]) for one in events] == [
            ("StateEvent", word, A) for word in ("created", "updated", "deleted")
        ]
        assert [one["data"] for one in events] == [{"agent_id": A, "key": "k", "version": n} for n in (1, 2, 3)]
        only = await inside.call("event.list", since=since, filter={"event_categories": ["agent"]})
        assert only["events"] == []


async def test_what_is_too_much_is_refused(short: Path) -> None:
    async with open_inside(short) as inside:
        await with_agents(inside)
        await keep(inside, "k" * 200, "x" * (LARGEST_VALUE - 2))
        with pytest.raises(TooLarge):
            await keep(inside, "k", "x" * (LARGEST_VALUE - 1))
        for key in ("k" * 201, "", "a\nb", "a\0b"):
            with pytest.raises(InvalidParams):
                await keep(inside, key, 1)
        with pytest.raises(AgentNotFound):
            await keep(inside, "k", 1, agent="nobody")
        unit = Unit()
        for number in range(9999):
            change(unit, f"n{number}")
        await inside.daemon.store.commit(unit)
        with pytest.raises(LimitReached, match="10,000"):
            await keep(inside, "one more", 1)
        assert (await keep(inside, "n1", 1))["version"] == 2
        assert (await keep(inside, "k", 1, agent="tester"))["version"] == 1


def change(unit: Unit, key: str, agent: str = A, version: int = 1, value: str = "1") -> None:
    known = {"agent": agent, "key": key, "version": version, "value": value}
    unit.do("change_state", **known, cause="imported", there=1, evidence="a file", at=NOW, request_id=None)


async def test_pages_are_in_order_and_go_on(short: Path) -> None:
    async with open_inside(short) as inside:
        await with_agents(inside)
        keys = ["a", "a/b", "b", "ż", "%", "_"]
        for agent in (B, A):
            for key in keys:
                await keep(inside, key, f"{agent} {key}", agent=agent)
        wanted = [(agent, key) for agent in (A, B) for key in sorted(keys)]
        page = await inside.call("state.query")
        assert [(one["agent_id"], one["key"]) for one in page["state"]] == wanted
        assert page["next"] is None
        assert page["timestamp"] >= page["state"][0]["updated_at"]
        found, after = [], None
        while True:
            page = await inside.call("state.query", limit=5, after=after)
            found += [(one["agent_id"], one["key"]) for one in page["state"]]
            after = page["next"]
            if after is None:
                break
        assert found == wanted
        assert [one["key"] for one in (await inside.call("state.query", agent_id="fixer", prefix="a"))["state"]] == [
            *("a", "a/b")
        ]
        assert [one["agent_id"] for one in (await inside.call("state.query", key="%"))["state"]] == [A, B]
        rest = await inside.call("state.query", agent_id=B, after={"agent_id": B, "key": "b"})
        assert [one["key"] for one in rest["state"]] == ["ż"]


async def test_a_page_has_an_end_where_values_are_large(short: Path) -> None:
    async with open_inside(short) as inside:
        await with_agents(inside)
        large = json.dumps("x" * (LARGEST_VALUE - 2))
        unit = Unit()
        for number in range(10):
            change(unit, f"n{number}", value=large)
        await inside.daemon.store.commit(unit)
        sizes, after = [], None
        while after is not None or not sizes:
            page = await inside.call("state.query", after=after)
            sizes.append(len(page["state"]))
            after = page["next"]
        assert sizes == [4, 4, 2]


async def test_of_imported_agents_what_they_kept_is_read(short: Path) -> None:
    async with open_inside(short) as inside:
        unit = Unit()
        change(unit, "state", agent="agent of old")
        await inside.daemon.store.commit(unit)
        assert await read(inside, "state", agent="agent of old") == 1
        (one,) = (await inside.call("state.transitions", of="keys", agent_id="agent of old"))["transitions"]
        assert (one["was"], one["became"], one["cause"], one["evidence"]) == (
            *("absent", "version 1", "imported", "a file"),
        )


async def test_old_values_fade_and_the_newest_stay(short: Path) -> None:
    async with open_inside(short) as inside:
        await with_agents(inside)
        for number in range(1, 31):
            await keep(inside, "k", number)
        assert [await read(inside, "k", version=number) for number in (11, 30)] == [11, 30]
        with pytest.raises(NotFound, match="the last 20"):
            await read(inside, "k", version=10)
        unit = Unit()
        for number in range(31, 1101):
            change(unit, "k", version=number)
        await inside.daemon.store.commit(unit)
        kept = await inside.call("state.transitions", of="keys", limit=10_000)
        assert [one["version"] for one in kept["transitions"]] == list(range(101, 1101))


async def test_nothing_but_a_change_changes_state(short: Path) -> None:
    async with open_inside(short) as inside:
        await with_agents(inside)
        await keep(inside, "k", 1)
        await keep(inside, "k", 2)
        path = inside.daemon.store.path
        connection = sqlite3.connect(path, isolation_level=None)
        for attack in (
            "UPDATE agent_state SET version = 9",
            "UPDATE agent_state SET change = 1",
            "DELETE FROM agent_state",
            "INSERT OR REPLACE INTO agent_state SELECT agent, key, 9, 0, 0, change FROM agent_state",
            "INSERT INTO agent_state VALUES ('a', 'k', 1, 0, 0, 2)",
            "UPDATE state_changes SET value = '7'",
            "UPDATE state_changes SET value = NULL WHERE version = 2",
            "UPDATE state_changes SET evidence = 'nobody'",
            "DELETE FROM state_changes",
            "INSERT OR REPLACE INTO state_changes SELECT * FROM state_changes",
            "INSERT INTO state_changes (agent, key, version, cause, there, at) VALUES ('a', 'k', 2, 'set', 1, 0)",
        ):
            with pytest.raises(sqlite3.IntegrityError):
                connection.execute(attack)
        connection.close()
        assert await read(inside, "k") == 2
