"""How agents moved is told with what was seen, by agent, time and cause."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from descartes_core.agent_life import Cause, State
from descartes_core.errors import AgentNotFound, InvalidParams
from descartes_core.times import written
from descartes_daemon.unit import Unit
from tests.support.inside import Inside, open_inside
from tests.support.programs import agent
from tests.support.rows import NOW, added

pytestmark = pytest.mark.anyio


async def moves(inside: Inside, identity: str | None = None, **asked: Any) -> list[tuple[str, str, str, str]]:
    whose = {} if identity is None else {"agent_id": identity}
    told = (await inside.call("state.transitions", **whose, **asked))["transitions"]
    return [(one["was"], one["became"], one["cause"], one["evidence"]) for one in told]


async def ended(inside: Inside, command: list[str], **more: Any) -> str:
    spawned = await inside.spawn(command, **more)
    await inside.ended(spawned["id"])
    await inside.gone(spawned["id"])
    return str(spawned["id"])


async def test_each_move_says_what_was_seen(short: Path) -> None:
    async with open_inside(short) as inside:
        well = await ended(inside, ["true"])
        badly = await ended(inside, ["sh", "-c", "exit 3"])
        killed = await ended(inside, ["sh", "-c", "kill -9 $$"])
        for identity, became, cause, seen in (
            (well, "completed", "ended_well", "exit code 0"),
            (badly, "failed", "ended_badly", "exit code 3"),
            (killed, "failed", "ended_badly", "signal SIGKILL"),
        ):
            first, last = await moves(inside, identity)
            assert first[:3] == ("initializing", "running", "spawned")
            assert re.fullmatch(r"pid \d+, asked by pid \d+ .*", first[3])
            assert last == ("running", became, cause, seen)
        with pytest.raises(Exception, match="cannot run"):
            await inside.spawn(["/nowhere/at/all"])
        ((was, became, cause, seen),) = await moves(inside, cause="exec_failed")
        assert (was, became, cause) == ("initializing", "failed", "exec_failed")
        assert "/nowhere/at/all" in seen


async def test_who_asked_and_what_it_led_to_is_told(short: Path) -> None:
    async with open_inside(short) as inside:
        deaf = await inside.spawn(agent("deaf"), grace=0.05)
        await inside.until(deaf["id"], b"ready")
        await inside.call("agent.pause", agent_id=deaf["id"])
        await inside.call("agent.resume", agent_id=deaf["id"])
        await inside.call("agent.stop", agent_id=deaf["id"], request_id="please")
        told = (await inside.call("state.transitions", agent_id=deaf["name"]))["transitions"]
        who = f"asked by pid {os.getpid()} ({Path(f'/proc/{os.getpid()}/comm').read_text().strip()})"
        assert [(one["cause"], one["evidence"]) for one in told[1:]] == [
            ("pause_asked", who),
            ("resume_asked", who),
            ("stop_asked", who),
            ("grace_over", "it has not ended within 0.05s"),
            ("ended_badly", "signal SIGKILL"),
        ]
        assert [one["request_id"] for one in told][3] == "please"
        assert all(one["evidence"] for one in told)
        assert [one["was"] for one in told[1:]] == [one["became"] for one in told[:-1]]


async def test_the_end_of_the_session_is_told_with_who_asked_for_it(short: Path) -> None:
    async with open_inside(short) as inside:
        living = await inside.spawn(agent("silent"))
        await inside.call("system.shutdown", force=True)
        ((_, _, _, seen),) = await moves(inside, living["id"], cause="stop_asked")
        assert seen.startswith(f"the session ends, asked by pid {os.getpid()} (")


async def test_a_limit_that_was_hit_is_told(short: Path) -> None:
    async with open_inside(short) as inside:
        slept = await ended(inside, ["sleep", "1000"], limits={"timeout": 0.05})
        ((_, _, cause, seen),) = await moves(inside, slept, cause="limit_hit")
        assert (cause, "0.05" in seen) == ("limit_hit", True)


async def test_it_is_asked_by_agent_time_and_cause_in_pages(short: Path) -> None:
    async with open_inside(short) as inside:
        unit = Unit()
        for identity in ("a" * 8, "b" * 8):
            unit.also(added(identity)).move(identity, State.INITIALIZING, State.RUNNING, Cause.SPAWNED, at=NOW)
        for number in range(100):
            was, became = (State.PAUSED, State.RUNNING) if number % 2 else (State.RUNNING, State.PAUSED)
            cause = Cause.RESUME_ASKED if number % 2 else Cause.PAUSE_ASKED
            unit.move("a" * 8, was, became, cause, evidence=str(number), at=NOW + number)
        await inside.daemon.store.commit(unit)
        everything = (await inside.call("state.transitions"))["transitions"]
        assert len(everything) == 102
        assert len(await moves(inside, "a" * 8)) == 101
        assert [one[3] for one in await moves(inside, "a" * 8, cause="resume_asked", limit=3)] == ["1", "3", "5"]
        between = {"since": written(NOW + 10), "until": written(NOW + 13)}
        assert [one[3] for one in await moves(inside, **between)] == ["10", "11", "12"]
        assert [one[3] for one in await moves(inside, "a" * 8, limit=2, newest=True)] == ["98", "99"]
        assert [one[3] for one in await moves(inside, limit=1, newest=True, cause="pause_asked")] == ["98"]
        found, after = [], 0
        while after is not None:
            page = await inside.call("state.transitions", limit=7, after=after)
            found += page["transitions"]
            after = page["next"]
        assert found == everything
        with pytest.raises(InvalidParams):
            await moves(inside, since="yesterday")
        with pytest.raises(InvalidParams):
            await moves(inside, key="k")
        for of, cause in (("agents", "ended_bad"), ("agents", "set"), ("keys", "ended_badly")):
            with pytest.raises(InvalidParams, match=r"is none of .*, "):
                await moves(inside, of=of, cause=cause)
        with pytest.raises(AgentNotFound):
            await moves(inside, "nobody")


async def test_who_does_not_ask_for_it_does_not_load_it(short: Path) -> None:
    for name in [name for name in sys.modules if name.startswith("descartes_daemon.state.")]:
        del sys.modules[name]
    async with open_inside(short) as inside:
        await ended(inside, ["true"])
        assert "descartes_daemon.state.door" not in sys.modules
        await inside.call("state.query")
        assert "descartes_daemon.state.door" in sys.modules
