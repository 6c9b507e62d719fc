"""A flood of an agent elsewhere, into its log here, and what it does to the agents of this machine."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from descartes_core.ids import new_id
from descartes_local.rpc_client import Connection
from tests.bench.attach import _ECHO, Attached
from tests.bench.figures import Figure, median, seconds, us
from tests.bench.flood import flood
from tests.bench.ground import Ground, cpu_seconds, pss_of, session_with_runner

MEGABYTES, ROUNDS, KEYS = 100, 5, 300


def measure() -> list[Figure]:
    """Record a flood of a terminal on the runner, and one of a terminal here, in turn."""
    with session_with_runner() as (ground, _, pids), ground.connect() as connection:
        return [*_rates(ground, connection, pids), _key(ground, connection)]


def _rates(ground: Ground, connection: Connection, pids: dict[str, int]) -> list[Figure]:
    _recorded(connection, _there(connection))  # warm
    before = {name: pss_of(pid) for name, pid in pids.items()}
    far: list[float] = []
    near: list[float] = []
    used: dict[str, list[float]] = {name: [] for name in pids}
    for _ in range(ROUNDS):
        began = {name: cpu_seconds(pid) for name, pid in pids.items()}
        far.append(seconds(lambda: _recorded(connection, _there(connection))))
        for name, pid in pids.items():
            used[name].append(cpu_seconds(pid) - began[name])
        near.append(seconds(lambda: _recorded(connection, ground.spawn(connection, flood(MEGABYTES)))))
    more = {name: pss_of(pid) - before[name] for name, pid in pids.items()}
    spent = ", ".join(f"{name} {median(each):.2f}" for name, each in used.items())
    return [
        Figure(
            f"{MEGABYTES} MB from a terminal on a runner, recorded there and here, CURVE",
            f"{MEGABYTES / median(far):.0f} MB/s; CPU s: {spent}",
            f"a local terminal, recorded once: {MEGABYTES / median(near):.0f} MB/s",
            "≥ 40 MB/s",
            f"{median(near) / median(far):.2f} ×",
        ),
        Figure(
            f"memory (PSS) after {MEGABYTES * ROUNDS} MB from a runner",
            ", ".join(f"{name} {by:+.1f} MB" for name, by in more.items()),
            f"before {', '.join(f'{one:.1f}' for one in before.values())} MB",
            "no more",
            f"{sum(more.values()):+.1f} MB",
        ),
    ]


def _there(connection: Connection, command: list[str] | None = None) -> str:
    asked = {"agent_id": new_id(), "request_id": new_id(), "command": command or flood(MEGABYTES), "on": "big"}
    return str(connection.call("agent.spawn", asked)["agent"]["id"])


def _recorded(connection: Connection, agent_id: str) -> None:
    while not connection.call("agent.wait", {"agent_id": agent_id})["ended"]:
        pass
    size = connection.call("agent.get", {"agent_id": agent_id})["agent"]["output_bytes"]
    assert size >= MEGABYTES * 1_000_000, f"{size} bytes of {MEGABYTES} MB were recorded"


def _key(ground: Ground, connection: Connection) -> Figure:
    """Press keys of an agent of this machine, while nothing happens, and beside floods from here and there."""
    agent = ground.spawn(connection, _ECHO)
    connection.call("agent.output", {"agent_id": agent, "wait": 10.0})
    with contextlib.closing(Attached(ground, agent)) as attached:
        attached.until(lambda frame: isinstance(frame, dict) and frame["type"] == "screen")
        quiet = _pressed(attached)
        near = _beside(connection, attached, lambda: ground.spawn(connection, ["yes"]))
        far = _beside(connection, attached, lambda: _there(connection, ["yes"]))
    return Figure(
        "a key's echo of a local agent, beside a flood from a runner",
        us(far),
        f"beside a local flood {us(near)}; quiet {us(quiet)}",
        "no worse than a local flood",
        f"{median(far) / median(near):.2f} ×",
    )


def _beside(connection: Connection, attached: Attached, start: Callable[[], str]) -> list[float]:
    loud = start()
    connection.call("agent.output", {"agent_id": loud, "wait": 10.0})
    taken = _pressed(attached)
    connection.call("agent.kill", {"agent_id": loud})
    while not connection.call("agent.wait", {"agent_id": loud})["ended"]:
        pass
    return taken


def _pressed(attached: Attached) -> list[float]:
    taken = []
    for _ in range(KEYS):
        begin = time.perf_counter()
        attached.press()
        taken.append(time.perf_counter() - begin)
    return taken
