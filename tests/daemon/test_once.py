"""What is asked twice by one id is done once, and answered alike."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import Conflict, DescartesError, IllegalTransition, NameTaken, OutcomeUnknown, SpawnFailed
from descartes_core.ids import new_id
from descartes_daemon.unit import Unit
from tests.support.inside import Inside, open_inside
from tests.support.programs import agent

pytestmark = pytest.mark.anyio


async def refused(inside: Inside, method: str, **params: Any) -> DescartesError:
    with pytest.raises(DescartesError) as caught:
        await inside.call(method, **params)
    return caught.value


async def test_a_repeat_is_given_the_first_answer(short: Path) -> None:
    async with open_inside(short) as inside:
        asked = {"command": agent("silent"), "request_id": "one"}
        first = await inside.call("agent.spawn", **asked)
        assert await inside.call("agent.spawn", **asked) == first
        assert len((await inside.call("agent.list"))["agents"]) == 1


async def test_the_answer_to_a_spawn_is_stored_together_with_its_beginning(short: Path) -> None:
    async with open_inside(short) as inside:
        store = inside.daemon.store
        before, stored = store.on_commit, []

        def told(events: list[dict[str, Any]]) -> None:
            before(events)
            if any(event.get("data", {}).get("status") == "running" for event in events):
                with contextlib.closing(sqlite3.connect(store.path)) as reader:
                    stored.extend(reader.execute("SELECT reply FROM requests WHERE id = 'one'"))

        store.on_commit = told
        answer = await inside.call("agent.spawn", command=agent("silent"), request_id="one")
        assert [json.loads(reply) for (reply,) in stored] == [answer]
        assert answer["agent"] == (await inside.call("agent.list"))["agents"][0]


async def test_repeats_at_once_do_it_once(short: Path) -> None:
    async with open_inside(short) as inside:
        asked = {"command": agent("silent"), "request_id": "one"}
        answers = await asyncio.gather(*(inside.call("agent.spawn", **asked) for _ in range(10)))
        assert {answer["agent"]["id"] for answer in answers} == {answers[0]["agent"]["id"]}
        assert len((await inside.call("agent.list"))["agents"]) == 1


async def test_the_next_daemon_gives_it_again(short: Path) -> None:
    identity = new_id()
    async with open_inside(short, identity=identity) as inside:
        first = await inside.call("agent.spawn", command=["true"], request_id="one")
        await inside.ended(first["agent"]["id"])
    async with open_inside(short, identity=identity) as inside:
        assert await inside.call("agent.spawn", command=["true"], request_id="one") == first
        assert len((await inside.call("agent.list", all=True))["agents"]) == 1


async def test_what_is_typed_twice_by_one_id_arrives_once(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(agent("echoer"))
        await inside.until(spawned["id"], b"ready")
        for _ in range(3):
            typed = {"agent_id": spawned["id"], "text": "hello\n", "request_id": "typed"}
            assert await inside.call("agent.write", **typed) == {"written": 6}
        await inside.call("agent.write", agent_id=spawned["id"], text="exit\n")
        await inside.ended(spawned["id"])
        assert (await inside.output(spawned["id"])).count(b"heard: hello") == 1


async def test_a_refusal_after_the_beginning_is_given_again(short: Path) -> None:
    """The repeat was once told that a daemon had been killed, which none was."""
    async with open_inside(short) as inside:
        asked = {"command": ["/no/such"], "request_id": "one", "agent_id": new_id()}
        errors = [await refused(inside, "agent.spawn", **asked) for _ in range(2)]
        assert {type(error) for error in errors} == {SpawnFailed}
        assert errors[0].message == errors[1].message


async def test_a_refusal_before_the_beginning_is_not_remembered(short: Path) -> None:
    async with open_inside(short) as inside:
        first = await inside.spawn(agent("silent"), name="fixer")
        asked = {"command": ["true"], "name": "fixer", "request_id": "one"}
        assert isinstance(await refused(inside, "agent.spawn", **asked), NameTaken)
        await inside.call("agent.kill", agent_id=first["id"])
        await inside.call("agent.spawn", **asked)


async def test_an_id_belongs_to_one_method(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(agent("silent"), request_id="one")
        error = await refused(inside, "agent.kill", agent_id=spawned["id"], request_id="one")
        assert isinstance(error, Conflict)
        assert error.message == "request one was a agent.spawn before"


async def test_an_id_belongs_to_one_method_also_while_it_is_done(short: Path) -> None:
    """The answer of the one under way was once given to the other."""
    async with open_inside(short) as inside:
        spawned = await inside.spawn(agent("deaf"))
        await inside.until(spawned["id"], b"ready")
        stopping = asyncio.create_task(inside.call("agent.stop", agent_id=spawned["id"], grace=0.5, request_id="one"))
        while inside.agent(spawned["id"]).row.state != "stopping":
            await inside.call("system.stats")
        error = await refused(inside, "agent.resize", agent_id=spawned["id"], rows=5, cols=5, request_id="one")
        assert isinstance(error, Conflict)
        await stopping


@pytest.mark.parametrize(
    ("method", "more", "wanted"),
    [
        ("agent.write", {"text": "x"}, OutcomeUnknown),
        ("agent.signal", {"signal": "INT"}, OutcomeUnknown),
        ("agent.stop", {}, None),
        ("agent.kill", {}, None),
        ("agent.pause", {}, None),
    ],
)
async def test_what_was_accepted_by_a_killed_daemon_is_not_done_again(
    short: Path, method: str, more: dict[str, Any], wanted: type[DescartesError] | None
) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["true"])
        await inside.ended(spawned["id"])
        await inside.gone(spawned["id"])
        await inside.daemon.store.commit(Unit().accept("lost", method, 1e10))
        asked = {"agent_id": spawned["id"], "request_id": "lost", **more}
        if wanted is None:
            assert (await inside.call(method, **asked))["agent"]["status"] == "completed"
        else:
            assert isinstance(await refused(inside, method, **asked), wanted)
        assert isinstance(await refused(inside, "agent.kill", agent_id=spawned["id"]), IllegalTransition)


async def test_answers_are_kept_for_a_day(short: Path) -> None:
    async with open_inside(short) as inside:
        store = inside.daemon.store
        await store.commit(Unit().accept("old", "agent.spawn", 1.0).answer("old", {}, 1.0))
        await inside.spawn(["true"], request_id="new")
        await inside.daemon.once.prune()
        assert await store.reply_of("old") is None
        assert await store.reply_of("new") is not None


async def test_without_an_id_nothing_is_remembered(short: Path) -> None:
    async with open_inside(short) as inside:
        assert (await inside.spawn(["true"]))["id"] != (await inside.spawn(["true"]))["id"]


async def test_who_asked_may_go_away(short: Path) -> None:
    async with open_inside(short) as inside:
        line = await inside.line()
        asked = b'{"jsonrpc":"2.0","id":1,"method":"agent.spawn","params":{"command":["true"],"request_id":"one"}}\n'
        line.writer.write(asked)
        await line.writer.drain()
        await line.close()
        again = await inside.call("agent.spawn", command=["true"], request_id="one")
        assert (await inside.ended(again["agent"]["id"]))["status"] == "completed"
        assert len((await inside.call("agent.list", all=True))["agents"]) == 1
