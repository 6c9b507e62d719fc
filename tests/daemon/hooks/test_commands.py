"""A command is told of events on its stdin, within bounds, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import InvalidParams
from descartes_core.ids import new_id
from descartes_daemon.hooks.running import KEPT_OUTPUT, MARK
from descartes_local.processes import environ_of, every_stat, mark_of
from descartes_local.tree import find_trees
from tests.daemon.hooks.test_delivering import QUICK, hook, served, tell, until
from tests.support.inside import PATIENCE, Inside

pytestmark = pytest.mark.anyio


async def add(inside: Inside, *command: str, **more: Any) -> dict[str, Any]:
    added: dict[str, Any] = await inside.call("hook.add", command=list(command), **more)
    return added


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def bearers(hook_id: str) -> list[int]:
    """Return the living processes that bear a hook's mark."""
    pids = [stat.process.pid for stat in every_stat() if not stat.is_dead]
    return [pid for pid in pids if mark_of(environ_of(pid), MARK) == hook_id]


def leave_behind(hook_id: str) -> None:
    """Start what a killed daemon would have left."""
    os.posix_spawn("/bin/sleep", ["sleep", "1000"], {MARK: hook_id}, setsid=True)


async def test_it_finds_the_event_on_its_stdin_and_its_marks(short: Path) -> None:
    out = short / "out"
    async with served(short) as inside:
        script = f"cat >> {out}; echo >> {out}; env | grep ^DESCARTES_ | sort > {out}.env; pwd > {out}.pwd"
        script += f"; echo $$ $(cut -d' ' -f6 /proc/$$/stat) > {out}.session"
        added = await add(inside, "sh", "-c", script, on=["system.session_renamed"])
        await tell(inside, 1, 2, 3)
        await until(inside, delivered=3)
        told = [json.loads(line) for line in out.read_text().splitlines()]
        assert [one["data"]["number"] for one in told] == [1, 2, 3]
        assert told[0]["session_id"] == inside.daemon.setup.record.id
        env = dict(line.split("=", 1) for line in Path(f"{out}.env").read_text().splitlines())
        assert env == {
            "DESCARTES_ATTEMPT": "1",
            "DESCARTES_DELIVERY": f"{added['hook']['hook_id']}.{told[-1]['seq']}",
            "DESCARTES_EVENT": "system.session_renamed",
            "DESCARTES_HOOK_ID": added["hook"]["hook_id"],
            "DESCARTES_SESSION_ID": told[0]["session_id"],
            "DESCARTES_SOCKET": inside.daemon.endpoints.socket,
        }
        assert Path(f"{out}.pwd").read_text().strip() == str(inside.daemon.setup.workspace)
        assert len(set(Path(f"{out}.session").read_text().split())) == 1, "it leads a session of its own"
        assert inside.daemon.agents.helpers == set()


async def test_it_gets_no_descriptor_of_ours(short: Path) -> None:
    out = short / "out"
    async with served(short) as inside:
        await add(inside, "sh", "-c", f"ls -l /proc/self/fd > {out}", on=["system.session_renamed"])
        await tell(inside, 1)
        await until(inside, delivered=1)
        numbers = [line.split(" -> ")[0].split()[-1] for line in out.read_text().splitlines()[1:]]
        assert set(numbers) <= {"0", "1", "2", "3"}  # the last is that of ls itself


async def test_how_it_failed_is_told_with_its_last_words(short: Path) -> None:
    async with served(short) as inside:
        await add(inside, "sh", "-c", "echo out; echo token=abcdefgh12345 >&2; exit 7", on=["system.session_renamed"])
        await tell(inside, 1)
        found = await until(inside, dead=1)
        assert (found["error"], found["output"]) == ("ended with exit code 7", "out\ntoken=***\n")
        (dead,) = (await inside.call("hook.deliveries"))["deliveries"]
        assert (dead["error"], dead["tries"]) == ("ended with exit code 7", QUICK["tries"])


async def test_what_never_ends_is_killed_with_all_it_started(short: Path) -> None:
    async with served(short, tries=1, command_timeout=0.3) as inside:
        added = await add(inside, "sh", "-c", "trap '' TERM; setsid sleep 1000 & sleep 1000", on=["system.*"])
        await tell(inside, 1)
        found = await until(inside, dead=1)
        assert found["error"] == "did not end within 0.3 s, and was killed"
        assert bearers(added["hook"]["hook_id"]) == []


async def test_what_prints_without_end_is_read_slowly_and_its_end_is_kept(short: Path) -> None:
    out = short / "out"
    code = (
        f"import os\ncount = 0\nfile = os.open({str(out)!r}, os.O_CREAT | os.O_WRONLY)\n"
        "while True:\n    count += os.write(1, b'x' * 65536)\n    os.pwrite(file, b'%d' % count, 0)\n"
    )
    async with served(short, tries=1, command_timeout=1.5) as inside:
        await add(inside, *python(code), on=["system.session_renamed"])
        await tell(inside, 1)
        found = await until(inside, dead=1)
        assert 10**5 < int(out.read_text()) < 5 * 10**6
        assert len(found["output"]) <= KEPT_OUTPUT


async def test_what_prints_much_is_not_held_against_it(short: Path) -> None:
    async with served(short, command_timeout=20.0) as inside:
        await add(inside, *python("print('x' * 300_000)"), on=["system.session_renamed"])
        await tell(inside, 1)
        found = await until(inside, delivered=1)
        assert (found["error"], found["output"]) == (None, None)


async def test_one_at_a_time_of_a_hook_and_few_of_all(short: Path) -> None:
    out = short / "out"
    async with served(short, at_once=2, command_timeout=20.0) as inside:
        code = (
            f"import fcntl, os, sys, time\nlog = open({str(out)!r}, 'a')\n"
            f"for word in ('begin', 'end'):\n"
            f"    log.write(os.environ['{MARK}'] + ' ' + word + '\\n'); log.flush()\n"
            f"    time.sleep(0.02)\n"
        )
        for _ in range(4):
            await add(inside, *python(code), on=["system.session_renamed"])
        await tell(inside, *range(3))
        async with asyncio.timeout(PATIENCE * 2):
            while [one["delivered"] for one in (await inside.call("hook.list"))["hooks"]] != [3] * 4:
                pass
    lines = [line.split() for line in out.read_text().splitlines()]
    running: set[str] = set()
    for who, word in lines:
        assert (who in running) == (word == "end")
        running ^= {who}
        assert len(running) <= 2
    assert len(lines) == 24


async def test_it_is_neither_agent_nor_stray_and_ends_with_the_daemon(short: Path) -> None:
    identity = new_id()
    async with served(short, identity, command_timeout=100.0) as inside:
        added = await add(inside, "sh", "-c", "sleep 1000 & sleep 1000", on=["system.session_renamed"])
        await tell(inside, 1)
        await until(inside, state="delivering")
        async with asyncio.timeout(PATIENCE):
            while len(await asyncio.to_thread(bearers, added["hook"]["hook_id"])) < 3:
                pass
        assert inside.daemon.orphans.unattributed() == []
        assert (await inside.call("agent.list"))["agents"] == []
    assert bearers(added["hook"]["hook_id"]) == []
    async with served(short, identity, command_timeout=100.0) as inside:
        assert (await until(inside, state="delivering"))["delivered"] == 0


async def test_what_a_killed_daemon_left_running_is_ended_first(short: Path) -> None:
    identity, out = new_id(), short / "out"
    async with served(short, identity) as inside:
        added = await add(inside, "sh", "-c", f"echo again >> {out}", on=["system.session_renamed"])
    hook_id = added["hook"]["hook_id"]
    # As one would be whose daemon was killed: it bears the mark, and is nobody's child here.
    leave_behind(hook_id)
    assert find_trees({hook_id: ()}, MARK)[hook_id]
    async with served(short, identity) as inside:
        await inside.call("hook.list")
        assert bearers(hook_id) == []
        await tell(inside, 1)
        await until(inside, delivered=1)
    assert out.read_text() == "again\n"


async def test_a_command_has_its_bound(short: Path) -> None:
    async with served(short) as inside:
        with pytest.raises(InvalidParams, match="put it into a file"):
            await add(inside, "sh", "-c", "x" * 20_001)


async def test_a_program_that_is_not_there_is_refused_and_one_that_vanishes_fails(short: Path) -> None:
    async with served(short, tries=1) as inside:
        for program in ("no-such-program", "/etc/passwd", "", "./here"):
            with pytest.raises(InvalidParams, match="there is no program"):
                await add(inside, program)
        script = inside.daemon.setup.workspace / "here"
        script.write_text("#!/bin/sh\n")
        script.chmod(0o755)
        await add(inside, "./here", on=["system.session_renamed"])
        await tell(inside, 1)
        await until(inside, delivered=1)
        script.unlink()
        await tell(inside, 2)
        found = await until(inside, dead=1)
        assert found["error"] == "cannot be run: No such file or directory"
        assert (await hook(inside))["name"] == "here"


async def test_what_it_spawns_is_an_agent_like_any_other(short: Path) -> None:
    async with served(short, command_timeout=20.0) as inside:
        code = (
            "import json, os, socket\nwire = socket.socket(socket.AF_UNIX)\n"
            "wire.connect(os.environ['DESCARTES_SOCKET'])\n"
            "call = {'command': ['sleep', '1000'], 'env': dict(os.environ)}\n"
            "line = {'jsonrpc': '2.0', 'id': 1, 'method': 'agent.spawn', 'params': call}\n"
            "wire.sendall(json.dumps(line).encode() + b'\\n')\nassert 'result' in wire.recv(65536).decode()\n"
        )
        await add(inside, *python(code), on=["system.session_renamed"])
        await tell(inside, 1)
        await until(inside, delivered=1)
        (spawned,) = (await inside.call("agent.list"))["agents"]
        assert spawned["status"] == "running"
        assert mark_of(environ_of(spawned["pid"]), MARK) is None
