"""Control groups: found wherever they are mounted, and used as the kernel wants it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from descartes_core.limits import Limits
from descartes_local import cgroup2
from descartes_local.cgroup2 import OURS, SERVING, Cgroup
from descartes_local.processes import process_of, wait_for_end
from tests.support.cgroups import needs_cgroups, plain_group, real_group

G = 1024**3
SESSION, AGENT = "6d18421d-d9f6-4a6c-b06a-abaaf99a4d69", "fc3361ae-6684-4ea3-be22-dab2bf87fa46"
UNIFIED = "41 31 0:38 {root} {point} rw,relatime shared:9 - cgroup2 cgroup2 rw"
LEGACY = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory"
#: Has a hundred children once it is told to, and says so.
FORKS = """
import os, time
input()
for _ in range(100):
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
print("ready", flush=True)
time.sleep(60)
"""


def a_proc(directory: Path, cgroup: str, *mounts: str) -> Path:
    (directory / "self").mkdir()
    (directory / "self" / "cgroup").write_text(cgroup)
    (directory / "self" / "mountinfo").write_text("\n".join(mounts) + "\n")
    return directory


@pytest.mark.parametrize(
    ("cgroup", "mounts", "found"),
    [
        (
            "0::/user.slice/a.scope\n",
            [UNIFIED.format(root="/", point="/sys/fs/cgroup")],
            "/sys/fs/cgroup/user.slice/a.scope",
        ),
        (
            "4:memory:/x\n0::/\n",
            [LEGACY, UNIFIED.format(root="/", point="/sys/fs/cgroup/unified")],
            "/sys/fs/cgroup/unified",
        ),
        ("0::/docker/a/b\n", [UNIFIED.format(root="/docker/a", point="/sys/fs/cgroup")], "/sys/fs/cgroup/b"),
        ("0::/docker/ab\n", [UNIFIED.format(root="/docker/a", point="/sys/fs/cgroup")], None),
        ("0::/a\n", [UNIFIED.format(root="/", point="/mnt/with\\040blank")], "/mnt/with blank/a"),
        ("0::/../outside\n", [UNIFIED.format(root="/", point="/sys/fs/cgroup")], None),
        ("4:memory:/x\n", [LEGACY], None),
        ("0::/\n", [LEGACY], None),
    ],
)
def test_our_own_group_is_found(tmp_path: Path, cgroup: str, mounts: list[str], found: str | None) -> None:
    group = cgroup2.own(a_proc(tmp_path, cgroup, *mounts))
    assert (group and str(group.path)) == found


def test_without_proc_there_is_no_group(tmp_path: Path) -> None:
    assert cgroup2.own(tmp_path) is None


def test_ours_lie_below_the_group_we_were_started_in() -> None:
    start = Path("/sys/fs/cgroup/a.scope")
    assert cgroup2.base_of(Cgroup(start)).path == start / OURS
    # A daemon that its supervisor has taken along begins where those that serve are.
    assert cgroup2.base_of(Cgroup(start / OURS / SERVING)).path == start / OURS
    assert not cgroup2.is_serving(Cgroup(start / SERVING))
    # A unit that starts each daemon in a group of its own leaves its own one to agents.
    assert cgroup2.base_of(Cgroup(start / SERVING)).path == start / OURS


def test_which_file_gets_which_text(tmp_path: Path) -> None:
    group = plain_group(tmp_path / "group", "memory", "cpu", "pids")
    assert group.limit(Limits(memory=2 * G, cpus=1.5, pids=200)) == {"memory", "cpus", "pids"}
    texts = {path.name: path.read_text() for path in group.path.iterdir() if "." in path.name}
    wanted = {"memory.max": str(2 * G), "memory.oom.group": "1", "memory.swap.max": "0"}
    assert texts | wanted | {"cpu.max": "150000 100000", "pids.max": "200"} == texts


def test_what_the_kernel_does_not_offer_it_does_not_hold(tmp_path: Path) -> None:
    group = plain_group(tmp_path / "group", "pids")
    assert group.limit(Limits(memory=G, cpus=1.0, pids=3, timeout=5.0)) == {"pids"}
    assert not (group.path / "memory.max").exists()


def test_a_memory_limit_holds_without_swap(tmp_path: Path) -> None:
    group = plain_group(tmp_path / "group", "memory")
    (group.path / "memory.swap.max").unlink()
    assert group.limit(Limits(memory=G)) == {"memory"}


def test_controllers_are_passed_on_once(tmp_path: Path) -> None:
    group = plain_group(tmp_path / "group", "memory", "pids")
    group.pass_on({"pids", "memory"})
    assert (group.path / "cgroup.subtree_control").read_text() == "+memory +pids"
    (group.path / "cgroup.subtree_control").write_text("memory pids")
    group.pass_on({"pids"})
    assert group.passed_on == {"memory", "pids"}
    assert cgroup2.offered(group) == {"memory", "pids"}


def test_what_happened_is_counted(tmp_path: Path) -> None:
    group = plain_group(tmp_path / "group", "memory")
    (group.path / "memory.events").write_text("low 0\nhigh 0\nmax 12\noom 1\noom_kill 3\n")
    assert group.count("memory.events", "oom_kill") == 3
    assert group.count("pids.events", "max") == 0


@needs_cgroups
def test_everything_in_a_group_is_killed_at_once() -> None:
    with real_group() as group:
        below = Cgroup(group.path / "below")
        below.make()
        program = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", FORKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        group.take_in(program.pid)
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.write(b"\n")
        program.stdin.close()
        program.stdout.readline()
        below.take_in(group.pids()[0])
        members = [process_of(pid) for pid in group.pids()]
        assert len(members) == 101
        assert group.kill()
        assert program.wait() == -signal.SIGKILL
        assert all(wait_for_end(member, 10.0) for member in members if member is not None)
        program.stdout.close()


@needs_cgroups
def test_a_group_is_removed_when_nobody_is_left_in_it() -> None:
    with real_group() as group:
        Cgroup(group.path / "a" / "b").make()
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as program:
            group.take_in(program.pid)
            assert group.pids() == [program.pid]
            found = cgroup2.of_process(program.pid)
            assert found is not None
            assert found.path == group.path
            assert not group.remove()
            program.communicate()
        assert group.remove()
        assert not group.is_there
        assert group.pids() == []
        assert not group.kill()


@needs_cgroups
def test_who_serves_many_leaves_the_group_of_an_agent() -> None:
    """A supervisor may be started by a command in an agent's own shell, and must not be killed with that agent."""
    code = "from descartes_local import cgroup2; cgroup2.leave_agents(); print(cgroup2.own().path)"
    with real_group() as group:
        inside = Cgroup(group.path / OURS / SESSION / AGENT)
        inside.make()
        enter = f"import os; open({str(inside.path / 'cgroup.procs')!r}, 'w').write('0'); {code}"
        done = subprocess.run([sys.executable, "-c", enter], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == str(group.path / OURS / SERVING)


@needs_cgroups
def test_who_is_in_no_agents_group_stays_where_he_is() -> None:
    before = cgroup2.own()
    cgroup2.leave_agents()
    assert cgroup2.own() == before


def test_what_a_kill_left_is_swept_and_what_lives_is_not(tmp_path: Path) -> None:
    old, young, busy = (plain_group(tmp_path / SESSION / name).path for name in ("old", "young", "busy"))
    for path in (old, young):
        for file in path.iterdir():
            file.unlink()
    os.utime(old, (5, 5))
    os.utime(busy, (5, 5))
    cgroup2.sweep(Cgroup(tmp_path), 6.0)
    assert sorted(path.name for path in (tmp_path / SESSION).iterdir()) == ["busy", "young"]
    young.rmdir()
    os.utime(tmp_path / SESSION, (5, 5))
    cgroup2.sweep(Cgroup(tmp_path), 6.0)
    assert busy.exists()


def test_nothing_is_made_up_where_there_is_no_group(tmp_path: Path) -> None:
    group = Cgroup(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError):
        group.take_in(os.getpid())
    assert not group.is_there
    assert list(tmp_path.iterdir()) == []


def test_what_the_kernel_counts_is_read_where_it_counts(tmp_path: Path) -> None:
    group = plain_group(tmp_path)
    assert (group.number("memory.peak"), group.bytes_moved(), group.count("cpu.stat", "usage_usec")) == (None, None, 0)
    (tmp_path / "memory.peak").write_text("4096\n")
    (tmp_path / "cpu.stat").write_text("usage_usec 1500\nuser_usec 1000\nsystem_usec 500\n")
    lines = ["8:0 rbytes=1000 wbytes=20 rios=3 wios=4 dbytes=7 dios=1", "259:1 rbytes=500 wbytes=5 rios=1 wios=1"]
    (tmp_path / "io.stat").write_text("\n".join(lines) + "\n")
    assert group.number("memory.peak") == 4096
    assert group.bytes_moved() == (1500, 25)
    assert group.count("cpu.stat", "usage_usec") == 1500


@needs_cgroups
def test_the_session_of_a_process_is_told_by_its_group(tmp_path: Path) -> None:
    assert cgroup2.session_of(os.getpid()) is None
    with real_group() as group:
        Cgroup(group.path / OURS / SESSION / AGENT / "below").make()
        command = [sys.executable, "-I", "-S", "-c", "input()"]
        for place, session in ((f"{OURS}/{SESSION}/{AGENT}", SESSION), (f"{OURS}/{SESSION}/{AGENT}/below", SESSION)):
            with subprocess.Popen(command, stdin=subprocess.PIPE, env={}) as program:
                Cgroup(group.path / place).take_in(program.pid)
                assert cgroup2.session_of(program.pid) == session
                program.kill()
        with subprocess.Popen(command, stdin=subprocess.PIPE, env={}) as program:
            group.take_in(program.pid)
            assert cgroup2.session_of(program.pid) is None
            program.kill()
