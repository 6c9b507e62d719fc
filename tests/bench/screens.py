"""What a screen costs: of an agent with a gigabyte of output, again, and of one with little."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from descartes_daemon.emulator import load
from descartes_local.rpc_client import Connection
from tests.bench.figures import Figure, interleaved, median, ms, seconds
from tests.bench.ground import Ground, pss_of, running_session

GIGABYTE, TAIL, READ = 1 << 30, 16 << 20, 4 << 20
ROUNDS = 9
#: A full-screen program that paints line by line, and plain text.
PAINTED = b"".join(b"\x1b[%d;1H\x1b[38;5;%dm\xe2\x94\x82 some text %d \x1b[K" % (row, row, row) for row in range(1, 25))
PLAIN = b"the quick brown fox jumps over the lazy dog 0123456789\r\n"


def measure() -> list[Figure]:
    """Ask for screens over one open connection."""
    with running_session() as ground, ground.connect() as connection:
        before = pss_of(ground.daemon.pid)
        figures = [_long(ground, connection, "painted", PAINTED), _long(ground, connection, "plain", PLAIN)]
        grown = pss_of(ground.daemon.pid) - before
        figures.append(_short(ground, connection))
        figures.append(
            Figure("memory after all of these screens", f"{grown:+.1f} MB", "0", "bounded", "PSS of the daemon")
        )
        return figures


def _long(ground: Ground, connection: Connection, what: str, unit: bytes) -> Figure:
    agents = [_ended(ground, connection, unit) for _ in range(ROUNDS)]
    times = [seconds(lambda one=one: connection.call("agent.screen", {"agent_id": one})) for one in agents]
    again = [seconds(lambda one=one: connection.call("agent.screen", {"agent_id": one})) for one in agents]
    floor = [_bare(unit) for _ in range(ROUNDS)]
    return Figure(
        f"first screen of 1 GB of {what} output",
        f"{ms(times)}; the very first {times[0] * 1e3:.0f} ms; again {median(again) * 1e3:.1f} ms",
        f"{ms(floor)} for the last 4 MiB through a bare emulator",
        "≤ 200 ms",
        f"{median(times) / median(floor):.2f} ×",
    )


def _ended(ground: Ground, connection: Connection, unit: bytes) -> str:
    """Return an agent that has ended, with a gigabyte of output, most of it a hole."""
    identity = ground.spawn(connection, ["true"])
    connection.call("agent.wait", {"agent_id": identity, "timeout": 20})
    path = Path(connection.call("agent.get", {"agent_id": identity})["agent"]["log_path"])
    with path.open("wb") as file:
        file.truncate(GIGABYTE - TAIL)
        file.seek(0, 2)
        file.write((unit * (TAIL // len(unit) + 1))[:TAIL])
    return identity


def _bare(unit: bytes) -> float:
    emulators = load()
    assert emulators is not None, "pyghostty is not installed"
    output = (unit * (READ // len(unit) + 1))[:READ]
    with closing(emulators.make(24, 80)) as emulator:
        return seconds(lambda: (emulator.feed(output), emulator.snapshot()))


def _short(ground: Ground, connection: Connection) -> Figure:
    identity = ground.spawn(connection, ["printf", "%s", "hello " * 500])
    connection.call("agent.wait", {"agent_id": identity, "timeout": 20})
    ours, floor = interleaved(
        200,
        lambda: connection.call("agent.screen", {"agent_id": identity, "format": "vt"}),
        lambda: connection.call("agent.get", {"agent_id": identity}),
    )
    return Figure(
        "screen of 3 kB of output",
        ms(ours),
        f"{ms(floor)} for agent.get",
        "≤ 10 ms",
        f"{median(ours) / median(floor):.1f} ×",
    )
