"""A session's state is taken whole, and put back for who has ended; the living are left alone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import Ambiguous, LimitReached, NotFound
from descartes_daemon.unit import Unit
from tests.support.inside import Inside, open_inside
from tests.support.programs import agent

pytestmark = pytest.mark.anyio


async def keep(inside: Inside, identity: str, **values: Any) -> None:
    for key, value in values.items():
        await inside.call("state.set", agent_id=identity, key=key, value=value)


async def kept(inside: Inside, identity: str) -> dict[str, Any]:
    page = await inside.call("state.query", agent_id=identity)
    return {one["key"]: one["value"] for one in page["state"]}


async def an_ended(inside: Inside, name: str) -> str:
    spawned = await inside.spawn(["true"], name=name)
    await inside.ended(spawned["id"])
    await inside.gone(spawned["id"])
    return str(spawned["id"])


async def write_tasks(inside: Inside, tasks: dict[str, str], needs: tuple[tuple[str, str], ...] = ()) -> None:
    """Write own tasks as they are to be, by identity and status."""
    unit = Unit()
    unit.statements.append(("DELETE FROM task_dependencies", {}))
    unit.statements.append(("DELETE FROM tasks", {}))
    insert = "INSERT INTO tasks (id, title, status, created_at, updated_at) VALUES (:id, 'title', :status, 1.5, 2.5)"
    unit.statements += [(insert, {"id": identity, "status": status}) for identity, status in tasks.items()]
    insert = "INSERT INTO task_dependencies (task, depends_on, created_at) VALUES (:task, :needs, 3.5)"
    unit.statements += [(insert, {"task": one, "needs": other}) for one, other in needs]
    await inside.daemon.store.commit(unit)


async def tasks_of(inside: Inside) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    def read(connection: Any) -> Any:
        tasks = connection.execute("SELECT id, status, created_at, updated_at FROM tasks ORDER BY id")
        needs = connection.execute("SELECT task, depends_on, created_at FROM task_dependencies ORDER BY 1, 2")
        return [tuple(row) for row in tasks], [tuple(row) for row in needs]

    found: tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]] = await inside.daemon.store.reading(read)
    return found


async def test_the_ended_are_put_back_and_the_living_left_alone(short: Path) -> None:
    async with open_inside(short) as inside:
        ended = await an_ended(inside, "ended")
        living = (await inside.spawn(agent("silent"), name="living"))["id"]
        await keep(inside, ended, changed=1, removed=[2], same="x", again=1)
        await keep(inside, living, changed=1)
        taken = (await inside.call("state.snapshot", description="before"))["snapshot"]
        assert (taken["keys"], taken["tasks"], taken["agents"]) == (5, 0, 2)
        assert taken["evidence"].startswith("asked by pid ")
        before = await kept(inside, ended)
        await keep(inside, ended, changed=2, new=3, again=2)
        await keep(inside, ended, again=1)
        await inside.call("state.delete", agent_id=ended, key="removed")
        await keep(inside, living, changed=2)
        younger = await an_ended(inside, "younger")
        await keep(inside, younger, mine=1)
        since = inside.daemon.feed.last_seq
        done = await inside.call("state.restore", snapshot_id=taken["id"][:8])
        assert await kept(inside, ended) == before
        assert await kept(inside, living) == {"changed": 2}
        assert await kept(inside, younger) == {"mine": 1}
        assert (done["agents"], done["keys_set"], done["keys_deleted"]) == ([ended], 2, 1)
        assert done["living"] == [{"id": living, "name": "living", "status": "running"}]
        events = (await inside.call("event.list", since=since))["events"]
        assert [(one["type"], one["event_type"]) for one in events] == [("StateEvent", "restored")]
        assert events[0]["data"] == {"snapshot_id": taken["id"], "description": "before", "living": 1}


async def test_a_restore_is_recorded_as_any_change_is(short: Path) -> None:
    async with open_inside(short) as inside:
        ended = await an_ended(inside, "ended")
        await keep(inside, ended, k=1)
        taken = (await inside.call("state.snapshot"))["snapshot"]
        await keep(inside, ended, k=2, new=1)
        await inside.call("state.restore", snapshot_id=taken["id"], request_id="back")
        told = (await inside.call("state.transitions", of="keys", cause="restored"))["transitions"]
        assert [(one["agent_id"], one["key"], one["was"], one["became"]) for one in told] == [
            (None, None, "", ""),
            (ended, "k", "version 2", "version 3"),
            (ended, "new", "version 1", "absent"),
        ]
        assert {one["request_id"] for one in told} == {"back"}
        assert all(one["evidence"].startswith(f"snapshot {taken['id'][:8]}, asked by pid ") for one in told)
        assert (await inside.call("state.get", agent_id=ended, key="k", version=2))["value"] == 2
        nothing = await inside.call("state.restore", snapshot_id=taken["id"])
        assert (nothing["agents"], nothing["keys_set"], nothing["keys_deleted"]) == ([], 0, 0)


async def test_own_tasks_are_as_they_were(short: Path) -> None:
    async with open_inside(short) as inside:
        await write_tasks(inside, {"1": "todo", "2": "done", "3": "todo"}, (("2", "1"), ("3", "2")))
        before = await tasks_of(inside)
        taken = (await inside.call("state.snapshot"))["snapshot"]
        assert taken["tasks"] == 3
        await write_tasks(inside, {"2": "blocked", "3": "todo", "4": "todo"}, (("3", "4"),))
        done = await inside.call("state.restore", snapshot_id=taken["id"])
        assert await tasks_of(inside) == before
        assert (done["tasks_restored"], done["tasks_deleted"]) == (2, 1)


async def test_one_that_goes_meanwhile_takes_nothing_with_it(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_inside(short) as inside:
        ended = await an_ended(inside, "ended")
        await keep(inside, ended, plan=1)
        await write_tasks(inside, {"one": "todo"})
        taken = (await inside.call("state.snapshot"))["snapshot"]["id"]
        agents = inside.daemon.store.agents

        async def forget_first(living_only: bool = False) -> Any:
            await inside.call("state.forget", snapshot_id=taken)
            return await agents(living_only)

        monkeypatch.setattr(inside.daemon.store, "agents", forget_first)
        with pytest.raises(NotFound, match="has gone meanwhile"):
            await inside.call("state.restore", snapshot_id=taken)
        assert await kept(inside, ended) == {"plan": 1}
        assert [task[0] for task in (await tasks_of(inside))[0]] == ["one"]


async def test_what_a_snapshot_holds_does_not_fade_before_it_goes(short: Path) -> None:
    async with open_inside(short) as inside:
        ended = await an_ended(inside, "ended")
        await keep(inside, ended, k="held")
        taken = (await inside.call("state.snapshot"))["snapshot"]
        for number in range(25):
            await keep(inside, ended, k=number)
        assert (await inside.call("state.get", agent_id=ended, key="k", version=1))["value"] == "held"
        await inside.call("state.restore", snapshot_id=taken["id"])
        assert await kept(inside, ended) == {"k": "held"}
        assert (await inside.call("state.forget", snapshot_id=taken["id"]))["snapshot"]["id"] == taken["id"]
        with pytest.raises(NotFound):
            await inside.call("state.get", agent_id=ended, key="k", version=1)
        with pytest.raises(NotFound):
            await inside.call("state.restore", snapshot_id=taken["id"])
        assert await kept(inside, ended) == {"k": "held"}


async def test_it_tells_how_the_agents_were(short: Path) -> None:
    async with open_inside(short) as inside:
        living = (await inside.spawn(agent("silent"), name="living"))["id"]
        taken = (await inside.call("state.snapshot"))["snapshot"]
        await inside.call("agent.kill", agent_id=living)
        listed = await inside.call("state.snapshots", snapshot_id=taken["id"])
        assert listed["agents"] == [{"id": living, "name": "living", "status": "running"}]
        done = await inside.call("state.restore", snapshot_id=taken["id"])
        assert done["living"] == []
        assert (await inside.call("agent.get", agent_id=living))["agent"]["status"] == "terminated"


async def test_it_goes_when_its_time_is_over(short: Path) -> None:
    async with open_inside(short) as inside:
        unit = Unit().do(
            "take_snapshot",
            snapshot="gone-1234",
            description=None,
            at=1.0,
            expires_at=2.0,
            evidence=None,
            request_id=None,
        )
        await inside.daemon.store.commit(unit)
        with pytest.raises(NotFound):
            await inside.call("state.restore", snapshot_id="gone-1234")
        stays = (await inside.call("state.snapshot", expires_in=3600.0))["snapshot"]
        assert [one["id"] for one in (await inside.call("state.snapshots"))["snapshots"]] == [stays["id"]]
        assert stays["expires_at"] > stays["at"]
        ((count,),) = await inside.daemon.store.select("snapshots_expired", now=1e12)
        assert count == 1, "the one before has gone"


async def test_a_repeat_takes_and_restores_nothing_twice(short: Path) -> None:
    async with open_inside(short) as inside:
        ended = await an_ended(inside, "ended")
        await keep(inside, ended, k=1)
        first, second = await asyncio.gather(*(inside.call("state.snapshot", request_id="take") for _ in range(2)))
        assert first == second
        await keep(inside, ended, k=2)
        back = {"snapshot_id": first["snapshot"]["id"], "request_id": "back"}
        done = await inside.call("state.restore", **back)
        await keep(inside, ended, k=3)
        await lose_answers(inside)
        assert await inside.call("state.restore", **back) == done
        assert await inside.call("state.snapshot", request_id="take") == first
        assert await kept(inside, ended) == {"k": 3}
        assert len((await inside.call("state.snapshots"))["snapshots"]) == 1


async def lose_answers(inside: Inside) -> None:
    """Do as if the daemon had been killed between a change and its answer."""
    unit = Unit()
    unit.statements.append(("UPDATE requests SET reply = NULL, answered_at = NULL", {}))
    await inside.daemon.store.commit(unit)


async def test_a_thousand_are_enough(short: Path) -> None:
    async with open_inside(short) as inside:
        unit = Unit()
        for number in range(1000):
            unit.do(
                "take_snapshot",
                snapshot=f"same-{number}",
                description=None,
                at=1.0,
                expires_at=None,
                evidence=None,
                request_id=None,
            )
        await inside.daemon.store.commit(unit)
        with pytest.raises(LimitReached, match="1,000"):
            await inside.call("state.snapshot")
        with pytest.raises(Ambiguous):
            await inside.call("state.restore", snapshot_id="same")
