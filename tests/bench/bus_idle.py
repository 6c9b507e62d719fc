"""What a daemon, its hub and a runner cost while nothing happens, and what the bus takes in memory."""

from __future__ import annotations

import time

from tests.bench.figures import Figure
from tests.bench.ground import cpu_seconds, pss_of, running_session, session_with_runner, wakeups_of

SETTLE, SECONDS = 5.0, 20.0


def measure() -> list[Figure]:
    """Count the switches of all threads: with nothing on the runner, then with a silent agent there."""
    with running_session() as ground:
        alone = pss_of(ground.daemon.pid)
    with session_with_runner() as (ground, both, pids):
        joined = pss_of(ground.daemon.pid)
        figures = _watched(pids, "nothing on the runner", "≤ 1 wake-up/s of a daemon")
        both.spawn("--", "cat")
        figures += _watched(pids, "a silent agent on the runner", "a heartbeat each 2 s, and its answer")
    memory = Figure(
        "memory (PSS) of a daemon that belongs to a bus",
        f"{joined:.1f} MB",
        f"one that does not {alone:.1f} MB",
        "one that does not is unchanged",
        f"{joined - alone:+.1f} MB",
    )
    return [*figures, memory]


def _watched(pids: dict[str, int], what: str, goal: str) -> list[Figure]:
    time.sleep(SETTLE)
    before = {name: (wakeups_of(pid), cpu_seconds(pid)) for name, pid in pids.items()}
    time.sleep(SECONDS)
    figures = []
    for name, pid in pids.items():
        switches, used = before[name]
        figures.append(
            Figure(
                f"idle {name}, {what}",
                f"{(wakeups_of(pid) - switches) / SECONDS:.1f} wake-ups/s, {cpu_seconds(pid) - used:.2f} CPU s",
                "0",
                goal,
                f"over {SECONDS:.0f} s, all threads",
            )
        )
    return figures
