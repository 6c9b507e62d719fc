"""Agents that take more than they may end, with that cause; and nobody else does."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from descartes_core.ids import new_id
from descartes_daemon.cgroups import Cgroups
from descartes_daemon.limit_watch import weigh
from descartes_local.cgroup2 import Cgroup, of_process
from descartes_local.processes import command_of, every_stat, is_alive
from tests.support.cgroups import needs_cgroups, plain_group
from tests.support.inside import Inside, open_inside
from tests.support.kept_daemon import KeptDaemon, kept_daemon
from tests.support.moments import Moments
from tests.support.person import Person
from tests.support.programs import agent
from tests.support.waiting import process_gone, wait_until

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024


@pytest.fixture(params=["auto", "off"])
def with_groups(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give each agent a control group of its own where there can be one, or none."""
    monkeypatch.setenv("DESCARTES_AGENTS__CGROUPS", request.param)
    return str(request.param)


async def causes_of(inside: Inside, identity: str) -> list[str]:
    return [move.cause for move in await inside.daemon.store.transitions(identity)]


async def test_a_memory_hog_ends_with_its_cause(short: Path, with_groups: str) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(agent("hungry", "--memory", 2000), limits={"memory": 64 * MIB})
        ended = await inside.ended(spawned["id"])
        assert (ended["status"], ended["signal"]) == ("terminated", "SIGKILL")
        assert ended["ended_by"].startswith("limit: memory ")
        assert ended["ended_by"].endswith(" > 64M")
        assert await causes_of(inside, spawned["id"]) == ["spawned", "limit_hit", "ended_badly"]
        events = (await inside.call("event.list"))["events"]
        told = [event["data"]["evidence"] for event in events if event["data"].get("cause") == "limit_hit"]
        assert told == [ended["ended_by"]]


async def test_a_fork_bomb_ends_with_all_it_forked(short: Path, with_groups: str) -> None:
    await end_a_bomb(short)


@needs_cgroups
async def test_a_fork_bomb_that_sheds_every_mark_ends_with_all_it_forked(short: Path) -> None:
    await end_a_bomb(short, "--cleared")


async def end_a_bomb(short: Path, *options: str) -> None:
    async with open_inside(short) as inside:
        program = agent("hungry", "--processes", 300, "--called", short, *options)
        spawned = await inside.spawn(program, limits={"pids": 20})
        neighbour = await inside.spawn(agent("silent"))
        ended = await inside.ended(spawned["id"])
        await inside.gone(spawned["id"])
        assert ended["ended_by"].startswith("limit: pids ")
        assert (await inside.call("agent.get", agent_id=neighbour["id"]))["agent"]["status"] == "running"
        called = [command_of(stat.process.pid) for stat in every_stat() if not stat.is_dead]
        assert [command for command in called if f"--called {short}" in command] == []


async def test_who_stays_within_is_left_alone(short: Path, with_groups: str) -> None:
    """Eight times the same 64 MiB is 64 MiB: resident memory alone would be over the limit here."""
    async with open_inside(short) as inside:
        script = "import os\nkept=b'x'*(64<<20)\nfor _ in range(3): os.fork()\nprint('stay', flush=True)\ninput()"
        limits = {"memory": 200 * MIB, "pids": 30}
        spawned = await inside.spawn(["python3", "-I", "-S", "-c", script], limits=limits, tty=False)
        await inside.until(spawned["id"], b"stay\n" * 8)
        for _ in range(2):
            seen = inside.daemon.limiting._watch._seen[inside.agent(spawned["id"])]
            before = seen.at
            while seen.at == before:
                await inside.call("system.stats")
        await inside.call("agent.write", agent_id=spawned["id"], eof=True)
        assert (await inside.ended(spawned["id"]))["ended_by"] is None


async def test_who_could_not_be_moved_into_its_group_is_weighed_all_the_same(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(agent("silent"), limits={"pids": 10})
        held = inside.agent(spawned["id"])
        weighed = weigh(held)
        held.cgroup = Cgroup(short / "gone")
        assert weigh(held) == weighed == (0.1, None)


async def test_an_endless_program_ends_when_its_time_is_over(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(agent("deaf"), limits={"timeout": 0.2}, grace=3600.0)
        assert (spawned["limited_by"], spawned["limits"]["timeout"]) == (None, 0.2)
        ended = await inside.ended(spawned["id"])
        assert (ended["status"], ended["ended_by"]) == ("terminated", "limit: time 0.2s")


async def test_time_passes_for_who_is_paused(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(agent("silent"), limits={"timeout": 0.5})
        await inside.call("agent.pause", agent_id=spawned["id"])
        assert (await inside.ended(spawned["id"]))["ended_by"] == "limit: time 0.5s"


async def test_who_ends_in_time_has_no_timer(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["true"], limits={"timeout": 3600.0, "memory": 64 * MIB})
        assert (await inside.ended(spawned["id"]))["ended_by"] is None
        await inside.gone(spawned["id"])
        names = {task.get_name() for task in asyncio.all_tasks()}
        assert not [name for name in names if name.startswith("limits of")]


async def test_a_share_of_the_processors_is_rounded_up_where_no_kernel_holds_it(short: Path, with_groups: str) -> None:
    async with open_inside(short) as inside:
        code = "import os; print(len(os.sched_getaffinity(0)))"
        spawned = await inside.spawn(["python3", "-I", "-S", "-c", code], limits={"cpus": 0.5})
        await inside.ended(spawned["id"])
        said = await inside.output(spawned["id"])
        assert int(said) == (1 if spawned["limited_by"] == "daemon" else len(os.sched_getaffinity(0)))


async def test_a_store_that_cannot_be_written_saves_no_hog(short: Path) -> None:
    """It is killed all the same, and its end tells why once there is room."""
    async with open_inside(short) as inside:
        spawned = await inside.spawn(agent("hungry", "--memory", 2000), limits={"memory": 256 * MIB})
        await inside.daemon.store._writer.execute("PRAGMA busy_timeout = 1")
        with contextlib.closing(sqlite3.connect(inside.daemon.store.path, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            process = inside.agent(spawned["id"]).process
            assert process is not None
            async with asyncio.timeout(10):
                while is_alive(process):
                    await inside.call("system.stats")
            database.execute("ROLLBACK")
        ended = await inside.ended(spawned["id"])
        assert ended["ended_by"].startswith("limit: memory ")
        assert await causes_of(inside, spawned["id"]) == ["spawned", "limit_hit", "ended_badly"]


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """Give the place of a group that offers everything, made of plain files."""
    plain_group(tmp_path / "start", "memory", "cpu", "pids")
    return tmp_path / "start"


def offer(inside: Inside, start: Path) -> tuple[str, Path]:
    """Let a daemon make its groups there; return the id of an agent, and the directory of what will be its group."""
    session, identity = inside.daemon.agents.place.session_id, new_id()
    inside.daemon.agents.cgroups = Cgroups(session, is_wanted=True, has_supervisor=False, start=plain_group(start))
    (start / "cgroup.controllers").write_text("memory cpu pids")
    for path in (start / "descartes", start / "descartes" / session):
        plain_group(path, "memory", "cpu", "pids")
    return identity, plain_group(start / "descartes" / session / identity, "memory", "cpu", "pids").path


LIMITS = {"memory": 64 * MIB, "pids": 20, "cpus": 1.5}


@pytest.mark.parametrize(
    ("file", "text", "why"),
    [
        ("memory.events", "oom 1\noom_kill 1\n", "limit: memory 64M"),
        ("pids.events", "max 3\n", "limit: pids 20"),
    ],
)
async def test_what_the_kernel_tells_is_heard_at_once(short: Path, plain: Path, file: str, text: str, why: str) -> None:
    async with open_inside(short) as inside:
        identity, group = offer(inside, plain)
        spawned = await inside.spawn(agent("silent"), agent_id=identity, limits=LIMITS)
        assert spawned["limited_by"] == "cgroup"
        assert (group / "cgroup.procs").read_text() == str(spawned["pid"])
        assert [(group / name).read_text() for name in ("memory.max", "cpu.max", "pids.max")] == [
            str(64 * MIB),
            "150000 100000",
            "20",
        ]
        (group / file).write_text(text)
        ended = await inside.ended(identity)
        assert (ended["ended_by"], ended["status"]) == (why, "terminated")


async def test_who_the_kernel_has_killed_ended_by_that_limit(short: Path, plain: Path) -> None:
    """The kernel kills first, and its file tells later: the end itself must ask."""
    async with open_inside(short) as inside:
        identity, group = offer(inside, plain)
        (group / "memory.events").unlink()
        spawned = await inside.spawn(agent("silent"), agent_id=identity, limits={"memory": 64 * MIB})
        (group / "memory.events").write_text("oom_kill 1\n")
        os.kill(spawned["pid"], 9)
        ended = await inside.ended(identity)
        assert (ended["ended_by"], ended["status"], ended["signal"]) == ("limit: memory 64M", "terminated", "SIGKILL")
        assert await causes_of(inside, identity) == ["spawned", "limit_hit", "ended_badly"]


async def test_what_the_kernel_holds_costs_no_looking(short: Path, plain: Path) -> None:
    async with open_inside(short) as inside:
        identity, _ = offer(inside, plain)
        await inside.spawn(agent("silent"), agent_id=identity, limits=LIMITS)
        await inside.spawn(agent("silent"))
        assert "watch limits" not in {task.get_name() for task in asyncio.all_tasks()}


@pytest.fixture
def kept(person: Person, moments: Moments) -> Iterator[KeptDaemon]:
    with kept_daemon(person) as kept:
        yield kept


def ended_after_kill(kept: KeptDaemon, limits: dict[str, Any], *program: object) -> dict[str, Any]:
    spawned = kept.spawn(agent(str(program[0]), *program[1:]), limits=limits)
    kept.kill()
    return kept.ended(spawned["id"])


def test_time_counts_over_the_daemons_death(kept: KeptDaemon) -> None:
    assert ended_after_kill(kept, {"timeout": 1.5}, "silent")["ended_by"] == "limit: time 1.5s"


def test_what_was_over_while_no_daemon_looked_is_ended_by_the_next(kept: KeptDaemon, moments: Moments) -> None:
    with moments.hold("daemon.locking") as held:
        spawned = kept.spawn(agent("silent"), limits={"timeout": 0.7})
        kept.kill(kept.pid)
        held.wait()
        over = time.monotonic() + 0.8
        wait_until(lambda: time.monotonic() > over, "its time is over")
    ended = kept.ended(spawned["id"])
    assert ended["ended_by"] == "limit: time 0.7s"
    process_gone(spawned["pid"])


def test_the_next_daemon_watches_on(kept: KeptDaemon) -> None:
    ended = ended_after_kill(kept, {"memory": 64 * MIB}, "hungry", "--memory", 2000)
    assert ended["ended_by"].startswith("limit: memory ")


@needs_cgroups
def test_who_was_not_yet_in_its_group_is_moved_by_the_next_daemon(kept: KeptDaemon) -> None:
    spawned = kept.spawn(agent("forker"))
    kept.until_said(spawned["id"], b"ready")
    entered = wait_until(lambda: group_of(spawned["pid"], spawned["id"]), "it is in its group")
    for pid in entered.pids():
        Cgroup(entered.path.parent).take_in(pid)
    kept.kill()
    again = wait_until(lambda: group_of(spawned["pid"], spawned["id"]), "it is in its group again")
    assert again == entered
    wait_until(lambda: len(again.pids()) == 3, "so are those that it had started, but for who has left it")


def group_of(pid: int, agent_id: str) -> Cgroup | None:
    found = of_process(pid)
    return found if found is not None and found.path.name == agent_id else None


@needs_cgroups
def test_a_group_is_found_again_and_removed_at_the_end(kept: KeptDaemon) -> None:
    spawned = kept.spawn(agent("forker", "--deaf", "--cleared"), grace=0.1)
    kept.until_said(spawned["id"], b"ready")
    group = wait_until(lambda: group_of(spawned["pid"], spawned["id"]), "it is in its group")
    assert group.path.parent.name == kept.id
    kept.kill()
    pids = [int(line.split()[1]) for line in kept.until_said(spawned["id"], b"ready").splitlines()]
    kept.call("agent.kill", agent_id=spawned["id"])
    for pid in pids:
        process_gone(pid)
    kept.call("system.shutdown")
    kept.until("kept")
    assert not group.path.parent.exists()
