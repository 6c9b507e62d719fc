"""A flood of a program without a terminal, and what it costs the daemon."""

from __future__ import annotations

import os
from pathlib import Path

from descartes_core.ids import new_id
from descartes_local.rpc_client import Connection
from tests.bench.figures import Figure, median
from tests.bench.ground import Ground, cpu_seconds, running_session

#: Little enough that the disk itself does not hold it up: then it is the disk that would be measured.
MEGABYTES, ROUNDS = 200, 25
#: It tells on stderr how long it took, by its own clock: starting and ending have figures of their own.
COMMAND = ["dd", "if=/dev/zero", "bs=64K", f"count={MEGABYTES * 1_000_000 // 65_536}"]


def measure() -> list[Figure]:
    """Write a flood into a log, and straight into a file of the same disk, in turn."""
    with running_session() as ground, ground.connect() as connection:
        directory = Path(ground.person.directory)
        ours, bare, cpu = [], [], []
        for _ in range(ROUNDS):
            used = cpu_seconds(ground.daemon.pid)
            ours.append(_logged(ground, connection))
            cpu.append(cpu_seconds(ground.daemon.pid) - used)
            bare.append(_straight(directory / "bare"))
    return [
        Figure(
            f"{MEGABYTES} MB without a terminal, into its log",
            f"{MEGABYTES / median(ours):.0f} MB/s, {median(cpu):.2f} CPU s of the daemon",
            f"straight to a file {MEGABYTES / median(bare):.0f} MB/s",
            "≥ 0.9 × straight",
            f"{median(bare) / median(ours):.2f} ×",
        )
    ]


def _straight(target: Path) -> float:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    actions = [
        (os.POSIX_SPAWN_OPEN, 1, str(target), flags, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, f"{target}.err", flags, 0o600),
    ]
    pid = os.posix_spawnp(COMMAND[0], COMMAND, os.environ, file_actions=actions, setsid=True)
    os.waitpid(pid, 0)
    return _own_time(target, Path(f"{target}.err"))


def _logged(ground: Ground, connection: Connection) -> float:
    asked = {"agent_id": new_id(), "request_id": new_id(), "command": COMMAND, "env": dict(os.environ), "tty": False}
    agent_id = connection.call("agent.spawn", asked)["agent"]["id"]
    while not connection.call("agent.wait", {"agent_id": agent_id})["ended"]:
        pass
    detail = connection.call("agent.get", {"agent_id": agent_id})["agent"]
    return _own_time(Path(detail["log_path"]), Path(detail["errors_path"]))


def _own_time(output: Path, errors: Path) -> float:
    """Return the seconds dd tells, and make room."""
    assert output.stat().st_size == MEGABYTES * 1_000_000 // 65_536 * 65_536
    told = errors.read_text().splitlines()[-1]
    output.unlink()
    errors.unlink()
    return float(told.split(" copied, ")[1].split()[0])
