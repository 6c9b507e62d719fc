"""Groups are made where they may be, hold what the kernel can hold, and leave nothing behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from descartes_core.ids import new_id
from descartes_core.limits import Limits
from descartes_daemon.cgroups import Cgroups
from descartes_local.cgroup2 import Cgroup
from descartes_local.processes import process_of
from tests.support.cgroups import needs_cgroups, plain_group, real_group
from tests.support.inside import open_inside
from tests.support.programs import agent
from tests.support.waiting import process_gone

SESSION = new_id()
#: Enters the group named first; makes one for an agent below it, with a controller; tells where it itself is then.
PASS_ON = """
import json, sys
from pathlib import Path
from descartes_daemon.cgroups import Cgroups
from descartes_local import cgroup2
start, controller = cgroup2.Cgroup(Path(sys.argv[1])), sys.argv[2]
start.take_in(0)
groups = Cgroups(sys.argv[3], is_wanted=True, has_supervisor=False, start=start)
groups.make("an-agent", None)
groups._pass_on({controller})
agent = cgroup2.Cgroup(start.path / "descartes" / sys.argv[3] / "an-agent")
print(json.dumps({"own": str(cgroup2.own().path), "has": sorted(agent.controllers)}))
"""


def groups_at(start: Cgroup | None, *, is_wanted: bool = True) -> Cgroups:
    return Cgroups(SESSION, is_wanted=is_wanted, has_supervisor=False, start=start)


def test_where_none_may_be_made_there_are_none(tmp_path: Path) -> None:
    (tmp_path / "start").mkdir()
    groups = groups_at(Cgroup(tmp_path / "start"))
    assert groups.base is None
    assert groups.make(new_id(), Limits(pids=3)) is None
    assert list(groups.leftovers()) == []
    groups.tidy()
    assert list((tmp_path / "start").iterdir()) == []


def test_where_none_are_wanted_there_are_none() -> None:
    assert groups_at(None, is_wanted=False).base is None


def test_an_agent_gets_a_group_also_without_limits(tmp_path: Path) -> None:
    start = plain_group(tmp_path / "start", "memory")
    groups, identity = groups_at(start), new_id()
    held = groups.make(identity, None)
    assert held is not None
    assert (held.group.path, held.kernel) == (start.path / "descartes" / SESSION / identity, frozenset())
    assert start.passed_on == frozenset()
    assert [group.path.name for group in groups.leftovers()] == [identity]


def test_only_what_limits_need_is_passed_on(tmp_path: Path) -> None:
    start = plain_group(tmp_path / "start", "memory", "cpu", "pids")
    for path in (start.path / "descartes", start.path / "descartes" / SESSION):
        plain_group(path, "memory", "cpu", "pids")
    groups_at(start).make(new_id(), Limits(pids=3, timeout=5.0))
    told = [path.read_text() for path in sorted(start.path.rglob("cgroup.subtree_control"))]
    assert told == ["+pids"] * 3


def unit_group(path: Path) -> Cgroup:
    for below in (path, path / "descartes", path / "descartes" / SESSION):
        plain_group(below, "memory", "cpu", "pids")
    return Cgroup(path)


def test_the_group_that_a_unit_begins_in_passes_nothing_on(tmp_path: Path) -> None:
    """After one agent with a limit, systemd could start no further daemon there (EBUSY), and tried for ever."""
    unit = unit_group(tmp_path / "a.service")
    groups = Cgroups(SESSION, is_wanted=True, has_supervisor=False, is_unit=True, start=unit)
    held = groups.make(new_id(), Limits(pids=3))
    assert held is not None
    assert (held.group.path.parent.parent.parent, held.kernel) == (unit.path, frozenset())
    assert unit.passed_on == frozenset()


def test_a_unit_that_begins_beside_its_agents_holds_their_limits(tmp_path: Path) -> None:
    unit = unit_group(tmp_path / "a.service")
    start = plain_group(unit.path / "daemons")
    groups = Cgroups(SESSION, is_wanted=True, has_supervisor=False, is_unit=True, start=start)
    held = groups.make(new_id(), Limits(pids=3))
    assert held is not None
    assert held.group.path.parent.parent == unit.path / "descartes"
    assert (unit.path / "cgroup.subtree_control").read_text() == "+pids"
    assert start.passed_on == frozenset()


def test_what_is_empty_is_tidied_away(tmp_path: Path) -> None:
    start = plain_group(tmp_path / "start")
    groups = groups_at(start)
    held = groups.make(new_id(), None)
    assert held is not None
    groups.tidy()
    assert held.group.path.exists()
    assert held.group.remove()
    groups.tidy()
    assert not (start.path / "descartes").exists()


def test_only_an_agents_own_group_is_found_again(tmp_path: Path) -> None:
    groups, identity = groups_at(None), new_id()
    group = plain_group(tmp_path / identity)
    assert groups.found(identity, str(group.path)) == group
    assert groups.found(new_id(), str(group.path)) is None
    assert groups.found(identity, None) is None
    assert groups.found(identity, str(tmp_path / "gone" / identity)) is None


@needs_cgroups
@pytest.mark.anyio
async def test_who_sheds_every_mark_is_attributed_all_the_same(short: Path) -> None:
    """Forked twice, in a session of its own, with an empty environment: it was `unattributed` once."""
    async with open_inside(short) as inside:
        spawned = await inside.spawn(agent("forker", "--cleared", "--closed"))
        said = await inside.until(spawned["id"], b"ready")
        pids = {kind: int(pid) for kind, pid in (line.split() for line in said.decode().splitlines())}
        double = process_of(pids["double"])
        assert double in inside.agent(spawned["id"]).find_tree()
        assert (await inside.call("agent.list"))["unattributed"] == []
        await inside.call("agent.kill", agent_id=spawned["id"])
        for pid in pids.values():
            process_gone(pid)


@needs_cgroups
@pytest.mark.anyio
async def test_what_an_agent_was_told_to_leave_ends_with_its_session(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(agent("forker", "--cleared", "--closed", "--code", 0), leave=True)
        await inside.ended(spawned["id"])
        said = (await inside.output(spawned["id"])).decode()
        pids = [int(line.split()[1]) for line in said.splitlines() if not line.startswith("ready")]
        assert all(process_of(pid) for pid in pids)
        await inside.call("system.shutdown", force=True, grace=0.1)
        for pid in pids:
            process_gone(pid, 1.0)
        assert list(inside.daemon.agents.cgroups.leftovers()) == []


@needs_cgroups
@pytest.mark.anyio
async def test_a_spawn_that_fails_leaves_no_group(short: Path) -> None:
    async with open_inside(short) as inside:
        for command in (["/no/such/program"], [str(short)]):
            with pytest.raises(Exception, match="cannot run"):
                await inside.spawn(command)
        for task in inside.daemon.background._tasks.copy():
            await task
        assert list(inside.daemon.agents.cgroups.leftovers()) == []


@needs_cgroups
@pytest.mark.parametrize("with_stranger", [False, True])
def test_who_holds_controllers_moves_out_of_their_way(with_stranger: bool) -> None:
    """A group that passes controllers on may hold no processes; a stranger in it is not moved, and nothing changes."""
    with real_group() as group:
        controller = next(iter(Cgroup(group.path).controllers), None)
        if controller is None:
            pytest.skip("no controller is passed on to us")
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as stranger:
            if with_stranger:
                group.take_in(stranger.pid)
            words = [sys.executable, "-c", PASS_ON, str(group.path), controller, SESSION]
            told = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
            stranger.communicate()
        if with_stranger:
            assert told == {"own": str(group.path), "has": []}
        else:
            assert told == {"own": str(group.path / "descartes" / "daemons"), "has": [controller]}
