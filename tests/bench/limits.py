"""What a control group costs at a spawn, and what neighbours feel of programs that hit their limits."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator

from descartes_local.rpc_client import Connection
from descartes_local.run_file import read_run_files
from tests.bench.attach import Attached
from tests.bench.figures import Figure, interleaved, median, ms, seconds, us
from tests.bench.ground import Ground, cpu_seconds, fresh_home, running_session
from tests.bench.terminals import start
from tests.support.programs import agent
from tests.support.weight import MEBIBYTE

SPAWNS, KEYS, PAUSE = 100, 400, 0.005
_ECHO = ["sh", "-c", "stty raw -echo; printf go; exec cat"]
#: Bounded, whatever happens; each is ended by its limit soon after it begins, and the next one follows.
_GREEDY = (
    (agent("hungry", "--processes", 300), {"pids": 50}),
    (agent("hungry", "--memory", 2000), {"memory": 64 * MEBIBYTE}),
)


def measure() -> list[Figure]:
    """Spawn with and without control groups in turn; press keys with and without greedy neighbours."""
    return [_spawns(), *_keys()]


def _spawns() -> Figure:
    with running_session() as ground, _without_groups() as other, ground.connect() as ours, other.connect() as bare:
        grounds = (ground, other)
        before = [cpu_seconds(one.daemon.pid) for one in grounds]
        with_group, without = interleaved(
            SPAWNS, lambda: ground.spawn(ours, ["true"]), lambda: other.spawn(bare, ["true"])
        )
        used = [(cpu_seconds(one.daemon.pid) - was) / SPAWNS for one, was in zip(grounds, before, strict=True)]
    verdict = (
        f"{(median(with_group) - median(without)) * 1e3:+.2f} ms, {(used[0] - used[1]) * 1e3:+.2f} ms of processor"
    )
    return Figure("a spawn with a control group", ms(with_group), f"without: {ms(without)}", "+ 1 ms at most", verdict)


@contextlib.contextmanager
def _without_groups() -> Iterator[Ground]:
    with fresh_home() as somebody:
        somebody.home.make()
        (somebody.home.path / "config.toml").write_text('[agents]\ncgroups = "off"\n')
        workspace = somebody.workspace()
        somebody.run("sessions", "start", workspace)
        (run,) = read_run_files(somebody.home)
        yield Ground(somebody, workspace, run)


def _keys() -> list[Figure]:
    with running_session() as ground, ground.connect() as connection:
        echoing = ground.spawn(connection, _ECHO)
        connection.call("agent.output", {"agent_id": echoing, "wait": 10.0})
        attached, (pid, master, slave) = Attached(ground, echoing), start(_ECHO)
        with contextlib.closing(attached):
            attached.until(lambda frame: isinstance(frame, dict) and frame["type"] == "screen")
            assert os.read(master, 2) == b"go"
            quiet = _pressed(attached, master)
            with _greedy(ground) as ended:
                beside = _pressed(attached, master)
        for descriptor in (slave, master):
            os.close(descriptor)
        os.waitpid(pid, 0)
    what = f"a key's echo beside bombs and hogs that hit their limits ({len(ended)} of them)"
    verdict = f"{median(beside[0]) / median(quiet[0]):.1f} × quiet; bare {median(beside[1]) / median(quiet[1]):.1f} ×"
    return [Figure(what, us(beside[0]), f"quiet: {us(quiet[0])}; bare: {us(beside[1])}", "unharmed", verdict)]


def _pressed(attached: Attached, master: int) -> tuple[list[float], list[float]]:
    ours, bare = [], []
    for _ in range(KEYS):
        ours.append(seconds(attached.press))
        bare.append(seconds(lambda: _press(master)))
        time.sleep(PAUSE)
    return ours, bare


def _press(master: int) -> None:
    os.write(master, b"k")
    while b"k" not in os.read(master, 65_536):
        pass


@contextlib.contextmanager
def _greedy(ground: Ground) -> Iterator[list[str]]:
    """Have one greedy program after the other; tell by which limit each ended."""
    over, ended = threading.Event(), list[str]()

    def run() -> None:
        with ground.connect() as connection:
            while not over.is_set():
                ended.append(_one(connection, len(ended)))

    thread = threading.Thread(target=run, name="greedy")
    thread.start()
    try:
        yield ended
    finally:
        over.set()
        thread.join()
    assert all(why.startswith("limit: ") for why in ended), ended


def _one(connection: Connection, number: int) -> str:
    command, limits = _GREEDY[number % len(_GREEDY)]
    asked = {"command": command, "limits": limits, "env": dict(os.environ)}
    identity = connection.call("agent.spawn", asked)["agent"]["id"]
    return str(connection.call("agent.wait", {"agent_id": identity, "timeout": 60.0})["agent"]["ended_by"])
