"""What an agent takes is told while it lives, and after its end as it was then."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import SpawnFailed
from descartes_core.ids import new_id
from descartes_daemon import usage
from tests.support.cgroups import needs_cgroups, plain_group
from tests.support.inside import Inside, open_inside
from tests.support.kept_daemon import kept_daemon
from tests.support.person import Person
from tests.support.programs import agent

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024
FIGURES = ("cpu_seconds", "memory_bytes", "memory_peak_bytes", "processes", "read_bytes", "written_bytes")


@pytest.fixture(params=["auto", "off"])
def with_groups(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give each agent a control group of its own where there can be one, or none."""
    monkeypatch.setenv("DESCARTES_AGENTS__CGROUPS", request.param)
    return str(request.param)


async def usage_of(inside: Inside, identity: str) -> dict[str, Any]:
    """Return what an agent has taken; the methods' contract is checked on the way."""
    found: dict[str, Any] = (await inside.call("agent.get", agent_id=identity))["agent"]["usage"]
    return found


def test_nothing_of_an_agent_that_has_no_process() -> None:
    assert usage.look([]) == {}


async def test_what_is_taken_is_told_while_it_lives_and_after_its_end(short: Path, with_groups: str) -> None:
    """A burner, holder and writer of known cost, which then waits for a word."""
    own_peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    async with open_inside(short) as inside:
        program = agent("taker", "--seconds", 0.5, "--memory", own_peak + 64, "--written", 3, "--in", short / "written")
        spawned = await inside.spawn(program, tty=False)
        await inside.until(spawned["id"], b"taken\n")
        living = await usage_of(inside, spawned["id"])
        assert 0.5 <= living["cpu_seconds"] < 2.0
        assert living["memory_bytes"] == pytest.approx((own_peak + 72) * MIB, rel=0.2)
        assert living["memory_peak_bytes"] >= living["memory_bytes"]
        assert living["processes"] == 1
        await inside.call("agent.write", agent_id=spawned["id"], eof=True)
        await inside.ended(spawned["id"])
        ended = await usage_of(inside, spawned["id"])
        assert ended["cpu_seconds"] >= living["cpu_seconds"]
        assert ended["memory_peak_bytes"] >= living["memory_peak_bytes"]
        assert (ended["memory_bytes"], ended["processes"]) == (None, None)
        assert ended["written_bytes"] >= living["written_bytes"]
        assert (ended["memory_source"], ended["io_source"]) == ("rusage", "rusage")
        await inside.gone(spawned["id"])
        assert await usage_of(inside, spawned["id"]) == ended


async def test_written_bytes_are_those_that_went_to_storage(short: Path, tmp_path: Path) -> None:
    written, before = tmp_path / "written", written_by_us()
    (tmp_path / "ours").write_bytes(b"x" * MIB)
    if written_by_us() - before < MIB:
        pytest.skip("what is written here goes to no storage")
    async with open_inside(short) as inside:
        spawned = await inside.spawn(agent("taker", "--written", 3, "--in", written), tty=False)
        await inside.until(spawned["id"], b"taken\n")
        assert (await usage_of(inside, spawned["id"]))["written_bytes"] == pytest.approx(3 * MIB, rel=0.1)


def written_by_us() -> int:
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))


async def test_a_tree_is_counted_whole(short: Path, with_groups: str) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(agent("forker", "--deaf"), grace=0.1)
        await inside.until(spawned["id"], b"ready")
        assert (await usage_of(inside, spawned["id"]))["processes"] == 4


@needs_cgroups
async def test_nothing_is_missed_in_a_control_group(short: Path) -> None:
    """Who is forked twice, and has ended, and was waited for by nobody of the tree, is counted there all the same."""
    async with open_inside(short) as inside:
        spawned = await inside.spawn(agent("taker", "--seconds", 0.5, "--detached"), tty=False)
        await inside.until(spawned["id"], b"taken\n")
        found = await usage_of(inside, spawned["id"])
        assert found["cpu_source"] == "cgroup"
        assert found["cpu_seconds"] >= 0.5


async def test_who_is_stopped_is_looked_at_before(short: Path) -> None:
    """Its peak is less than ours, and so no rusage tells it."""
    async with open_inside(short) as inside:
        spawned = await inside.spawn(agent("silent"))
        await inside.call("agent.stop", agent_id=spawned["id"])
        found = await usage_of(inside, spawned["id"])
        assert found["memory_source"] == "proc"
        assert found["memory_peak_bytes"] > MIB


@needs_cgroups
async def test_what_is_left_behind_is_counted_to_its_end(short: Path) -> None:
    async with open_inside(short) as inside:
        script = "import os, time\nif os.fork(): os._exit(0)\nwhile time.process_time() < 0.5: pass"
        spawned = await inside.spawn(["python3", "-I", "-S", "-c", script], grace=30.0, stop_signal="CONT", tty=False)
        await inside.ended(spawned["id"])
        await inside.gone(spawned["id"])
        assert (await usage_of(inside, spawned["id"]))["cpu_seconds"] >= 0.5


async def test_lists_tell_it_only_where_they_are_asked(short: Path, with_groups: str) -> None:
    async with open_inside(short) as inside:
        ended = await inside.spawn(["true"])
        await inside.ended(ended["id"])
        await inside.gone(ended["id"])
        spawned = [await inside.spawn(agent("silent")) for _ in range(2)]
        for more in ({}, {"all": True}):
            assert all("usage" not in one for one in (await inside.call("agent.list", **more))["agents"])
        living = (await inside.call("agent.list", usage=True))["agents"]
        assert {one["id"]: one["usage"]["processes"] for one in living} == {one["id"]: 1 for one in spawned}
        everybody = (await inside.call("agent.list", usage=True, all=True))["agents"]
        assert [one["usage"]["processes"] for one in everybody] == [None, 1, 1]
        assert everybody[0]["usage"] == await usage_of(inside, ended["id"])


async def test_all_of_a_session_is_summed_up(short: Path) -> None:
    async with open_inside(short) as inside:
        ended = await inside.spawn(agent("taker", "--seconds", 0.3), tty=False)
        await inside.until(ended["id"], b"taken\n")
        now = (await inside.call("system.stats"))["usage"]
        assert now["living"]["processes"] == 1
        assert now["living"]["cpu_seconds"] >= 0.3
        assert now["ended"] == {"cpu_seconds": 0.0, "read_bytes": 0, "written_bytes": 0}
        await inside.call("agent.write", agent_id=ended["id"], eof=True)
        await inside.ended(ended["id"])
        await inside.gone(ended["id"])
        later = (await inside.call("system.stats"))["usage"]
        assert later["living"]["processes"] == 0
        assert later["ended"]["cpu_seconds"] >= now["living"]["cpu_seconds"]


async def test_what_nobody_started_has_taken_nothing(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = new_id()
        with pytest.raises(SpawnFailed):
            await inside.spawn(["./nothing"], agent_id=identity)
        assert await usage_of(inside, identity) is None


def test_an_adopted_agent_is_counted_too(person: Person) -> None:
    """It is the child of somebody else, who does not tell its rusage; /proc does, while nobody has reaped it."""
    with kept_daemon(person) as kept:
        spawned = kept.spawn(agent("taker", "--seconds", 0.5, "--in", person.directory / "written", "--written", 1))
        kept.until_said(spawned["id"], b"taken")
        kept.kill()
        living = kept.call("agent.get", agent_id=spawned["id"])["agent"]["usage"]
        assert living["cpu_seconds"] >= 0.5
        assert living["processes"] == 1
        kept.call("agent.kill", agent_id=spawned["id"])
        ended = kept.call("agent.get", agent_id=spawned["id"])["agent"]["usage"]
        assert ended["cpu_seconds"] >= 0.5
        assert ended["written_bytes"] >= living["written_bytes"]


@pytest.mark.parametrize("is_noted", [True, False], ids=["from its first process on", "later"])
async def test_memory_and_bytes_are_taken_from_who_counts_all_of_them(
    short: Path, tmp_path: Path, is_noted: bool
) -> None:
    """`ps --wide` told of no memory at all, where the controller came only with a later agent's limits."""
    group = plain_group(tmp_path / "group")
    for name, text in {
        "memory.current": "1000",
        "memory.peak": "5000",
        "io.stat": "8:0 rbytes=7 wbytes=9",
        "cpu.stat": "usage_usec 90000000",
    }.items():
        (group.path / name).write_text(f"{text}\n")
    if is_noted:
        group.note_memory()
        if not group.counts_memory:
            pytest.skip("this file system holds no attributes of users, as control groups do")
    async with open_inside(short) as inside:
        spawned = await inside.spawn(agent("silent"))
        held = inside.agent(spawned["id"])
        (group.path / "cgroup.procs").write_text(f"{spawned['pid']}\n")
        theirs, held.cgroup = held.cgroup, group
        found = await usage_of(inside, spawned["id"])
        held.cgroup = theirs
    assert (found["cpu_seconds"], found["processes"], found["read_bytes"], found["written_bytes"]) == (90.0, 1, 7, 9)
    assert {found["cpu_source"], found["io_source"]} == {"cgroup"}
    if is_noted:
        assert (found["memory_bytes"], found["memory_peak_bytes"], found["memory_source"]) == (1000, 5000, "cgroup")
    else:
        assert found["memory_source"] == "proc"
        assert found["memory_bytes"] > MIB
