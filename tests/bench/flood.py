"""A recorded flood, and what it leaves in memory."""

from __future__ import annotations

import time
from pathlib import Path

from descartes_local.rpc_client import Connection
from tests.bench.figures import Figure, median
from tests.bench.ground import Ground, cpu_seconds, pss_of, running_session
from tests.bench.terminals import copy_to_file, splice_to_file

MEGABYTES, ROUNDS = 100, 5


def flood(megabytes: int) -> list[str]:
    """Return a program that writes as fast as its terminal takes it."""
    return ["sh", "-c", f"yes {'x' * 99} | head -c {megabytes}000000"]


def measure() -> list[Figure]:
    """Record a flood beside two bare loops to a file of the same disk, and look at memory."""
    with running_session() as ground, ground.connect() as connection:
        _record(ground, connection, 10)  # warm
        before = pss_of(ground.daemon.pid)
        ours, copied, spliced, cpu = [], [], [], []
        target = Path(ground.person.directory) / "bare"
        for _ in range(ROUNDS):
            used = cpu_seconds(ground.daemon.pid)
            ours.append(_record(ground, connection, MEGABYTES))
            cpu.append(cpu_seconds(ground.daemon.pid) - used)
            copied.append(copy_to_file(flood(MEGABYTES), target))
            spliced.append(splice_to_file(flood(MEGABYTES), target))
        after = pss_of(ground.daemon.pid)
    bare = min(median(copied), median(spliced))
    return [
        Figure(
            f"{MEGABYTES} MB from a terminal, recorded",
            f"{MEGABYTES / median(ours):.0f} MB/s, {median(cpu):.2f} CPU s",
            f"bare loops: copy {MEGABYTES / median(copied):.0f} MB/s, splice {MEGABYTES / median(spliced):.0f} MB/s",
            "≥ 0.9 × the faster",
            f"{bare / median(ours):.2f} ×",
        ),
        Figure(
            f"daemon's memory (PSS) after {MEGABYTES * ROUNDS} MB of output",
            f"{after:.1f} MB",
            f"{before:.1f} MB before",
            "no more",
            f"{after - before:+.1f} MB",
        ),
    ]


def _record(ground: Ground, connection: Connection, megabytes: int) -> float:
    begin = time.perf_counter()
    agent_id = ground.spawn(connection, flood(megabytes))
    while not connection.call("agent.wait", {"agent_id": agent_id})["ended"]:
        pass
    taken = time.perf_counter() - begin
    size = connection.call("agent.get", {"agent_id": agent_id})["agent"]["output_bytes"]
    assert size >= megabytes * 1_000_000, f"{size} bytes of {megabytes} MB were recorded"
    return taken
