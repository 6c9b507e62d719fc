"""The hub: messages forwarded beside a bare blocking ROUTER, both with CURVE."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from descartes_core.bus.codec import encode
from descartes_core.bus.messages import PROTOCOL_VERSION, Hello, Role
from descartes_orchestrator.hub.joining import make_keys
from tests.bench.figures import Figure, median
from tests.support.hubs import RunningHub, running_hub

ROUNDS, COUNT, PINGS = 5, 60_000, 3000


class _Pair:
    """Two peers through one ROUTER."""

    def __init__(self, pid: int, role: str, first: Sequence[str], second: Sequence[str], to: str, count: int) -> None:
        self._pid, self._count = pid, count
        self._sink = _peer("sink", *second, "", "0")
        self._source = _peer(role, *first, to, str(count))

    def run(self) -> tuple[float, float]:
        """Return seconds, and seconds of the ROUTER's processor, a message."""
        before = _cpu(self._pid)
        assert self._source.stdin is not None
        assert self._source.stdout is not None
        self._source.stdin.write("\n")
        self._source.stdin.flush()
        taken = float(self._source.stdout.readline())
        return taken / self._count, (_cpu(self._pid) - before) / self._count

    def end(self) -> None:
        """Take both down."""
        for process in (self._sink, self._source):
            process.kill()
            process.communicate()


def measure() -> list[Figure]:
    """Measure both in turn."""
    with (
        tempfile.TemporaryDirectory(prefix="b", dir="/tmp") as made,
        running_hub(Path(made), heartbeat_secs=600) as hub,
        _bare() as bare,
    ):
        return [*_rate(hub, bare), _round_trip(hub, bare)]


def _rate(hub: RunningHub, bare: tuple[int, str, str]) -> list[Figure]:
    ours, floor = _alternate(hub, bare, "source", COUNT)
    rates, floors = 1 / median([one for one, _ in ours]), 1 / median([one for one, _ in floor])
    cpu, least = (median([one for _, one in many]) * 1e6 for many in (ours, floor))
    return [
        Figure(
            "hub forwards messages of 182 bytes, CURVE",
            f"{rates / 1000:.1f} k/s",
            f"bare blocking ROUTER {floors / 1000:.1f} k/s",
            "≥ 0.75 ×",
            f"{rates / floors:.2f} ×",
        ),
        Figure(
            "processor time of the hub a message, I/O thread included",
            f"{cpu:.1f} µs",
            f"bare blocking ROUTER {least:.1f} µs",
            "≤ 1.33 ×",
            f"{cpu / least:.2f} ×",
        ),
    ]


def _round_trip(hub: RunningHub, bare: tuple[int, str, str]) -> Figure:
    ours, floor = (median([one for one, _ in many]) * 1e6 for many in _alternate(hub, bare, "pinger", PINGS))
    return Figure(
        "round trip peer, hub, peer and back, CURVE",
        f"{ours:.0f} µs",
        f"bare blocking ROUTER {floor:.0f} µs",
        "≤ 1.3 ×",
        f"{ours / floor:.2f} ×",
    )


def _alternate(
    hub: RunningHub, bare: tuple[int, str, str], role: str, count: int
) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    pid, endpoint, key = bare
    assert hub.process is not None
    ours: list[tuple[float, float]] = []
    floor: list[tuple[float, float]] = []
    for number in range(ROUNDS + 1):
        # Fresh peers each time: so none is better placed by chance.
        names = [f"source{role}{number}", f"sink{role}{number}"]
        floor.append(
            _once(
                pid, role, [(endpoint, key, make_keys().secret, name.encode().hex()) for name in names], names[1], count
            )
        )
        roles: tuple[Role, Role] = ("runner", "daemon")
        called = [names[0], f"{names[1]}/x"]
        keys = [hub.enrolled(one, name) for one, name in zip(roles, names, strict=True)]
        greetings = [_hello(one, name) for one, name in zip(roles, called, strict=True)]
        told = [(hub.endpoint, hub.key, key.secret, hello) for key, hello in zip(keys, greetings, strict=True)]
        ours.append(_once(hub.process.pid, role, told, called[1], count))
    return ours[1:], floor[1:]  # the first was to get warm


def _once(pid: int, role: str, peers: Sequence[Sequence[str]], to: str, count: int) -> tuple[float, float]:
    pair = _Pair(pid, role, peers[0], peers[1], to, count)
    try:
        return pair.run()
    finally:
        pair.end()


def _hello(role: Role, name: str) -> str:
    return encode(Hello(protocol_version=PROTOCOL_VERSION, role=role, name=name, generation=1)).hex()


def _peer(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.bench.hub_peer", *words]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@contextlib.contextmanager
def _bare() -> Iterator[tuple[int, str, str]]:
    command = [sys.executable, "-m", "tests.bench.bare_router"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        endpoint, key = process.stdout.readline().split()
        try:
            yield process.pid, endpoint, key
        finally:
            process.kill()


def _cpu(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as file:
        words = file.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
