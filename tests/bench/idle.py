"""What fifty silent agents cost while nothing happens."""

from __future__ import annotations

import time

from tests.bench.figures import Figure
from tests.bench.ground import cpu_seconds, running_session, wakeups_of

AGENTS, SETTLE, SECONDS = 50, 3.0, 10.0


def measure() -> list[Figure]:
    """Count the switches of all threads of daemon, supervisor and fork server."""
    with running_session() as ground:
        ground.fill(AGENTS)
        told = ground.supervisor()
        pids = {"daemon": ground.daemon.pid, "supervisor": told["pid"], "fork server": told["fork_server"]["pid"]}
        time.sleep(SETTLE)
        before = {name: (wakeups_of(pid), cpu_seconds(pid)) for name, pid in pids.items()}
        time.sleep(SECONDS)
        after = {name: (wakeups_of(pid), cpu_seconds(pid)) for name, pid in pids.items()}
    return [_figure(name, before[name], after[name]) for name in pids]


def _figure(name: str, before: tuple[int, float], after: tuple[int, float]) -> Figure:
    switches, used = (after[0] - before[0]) / SECONDS, after[1] - before[1]
    return Figure(
        f"idle {name}, {AGENTS} silent agents",
        f"{switches:.1f} wake-ups/s, {used:.2f} CPU s",
        "0",
        "0",
        f"over {SECONDS:.0f} s, all threads",
    )
