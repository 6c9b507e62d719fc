"""Forked daemons: from the word to an answer, one and fifty at once, after a kill, and what they weigh."""

from __future__ import annotations

import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from descartes_core.ids import new_id
from descartes_local.descriptors import limit_of_descriptors
from descartes_local.processes import process_of, send_signal
from descartes_local.rpc_client import Connection
from descartes_local.supervisor_client import ensure
from tests.bench import cold_start
from tests.bench.figures import Figure, median, ms, seconds
from tests.bench.ground import fresh_home, pss_of
from tests.bench.peers import peers, told
from tests.support.person import Person
from tests.support.waiting import process_gone

ROUNDS, CROWD, TEN = 20, 50, 10


def measure() -> list[Figure]:
    """Start, kill and weigh; a cold start and a bare interpreter are timed in turn with the first."""
    assert limit_of_descriptors() > 10 * CROWD, "too few descriptors for a crowd"
    return [*_one(), *_crowd(), *_killed(), *_weight()]


def _one() -> list[Figure]:
    forked, cold, bare = list[float](), list[float](), list[float]()
    with peers() as others, fresh_home() as somebody, ensure(somebody.home) as supervisor:
        theirs: dict[str, list[float]] = {other.name: [] for other in others}
        somebody.workspace()
        names = _names("one")
        _health(_start(supervisor, somebody, next(names)))
        for _ in range(ROUNDS):
            forked.append(seconds(lambda: _health(_start(supervisor, somebody, next(names)))))
            cold_start._start(somebody)
            cold.append(cold_start._TAKEN[-1])
            bare.append(seconds(lambda: subprocess.run([sys.executable, "-c", "pass"], check=True)))
            for other in others:
                theirs[other.name].append(seconds(other.start))
    return [
        Figure(
            "start of a workspace's daemon to `/health`, forked",
            _p95(forked),
            f"cold start {ms(cold)}, bare interpreter {ms(bare)}{told(theirs)}",
            "≤ 25 ms p50, ≤ 60 ms p95",
            f"{median(forked) / median(cold):.2f} × a cold start, {median(forked) / median(bare):.2f} × an interpreter",
        )
    ]


def _crowd() -> list[Figure]:
    with fresh_home() as somebody, ensure(somebody.home) as supervisor:
        _health(_start(supervisor, somebody, "first"))
        alone = seconds(lambda: _health(_start(supervisor, somebody, "second")))
        places = [str(somebody.workspace(name)) for name in _some("crowd", CROWD)]
        with ExitStack() as stack, ThreadPoolExecutor(CROWD) as pool:
            connections = [stack.enter_context(ensure(somebody.home)) for _ in places]
            taken = seconds(lambda: list(pool.map(_start_and_ask, connections, places)))
    return [
        Figure(
            f"{CROWD} daemons at once, until the last answers `/health`",
            f"{taken / CROWD * 1e3:.1f} ms for each ({taken:.2f} s)",
            f"one alone {alone * 1e3:.1f} ms",
            "≤ 25 ms for each",
            f"{taken / CROWD / alone:.2f} × one alone",
        )
    ]


def _killed() -> list[Figure]:
    with fresh_home() as somebody, ensure(somebody.home) as supervisor:
        where = _start(supervisor, somebody, "shop")
        _health(where)
        taken = []
        for _ in range(ROUNDS):
            pid = _pid(where)
            process = process_of(pid)
            assert process is not None
            time.sleep(0.5)  # it has been ready for long enough to be started again at once
            send_signal(process, signal.SIGKILL)
            process_gone(pid)
            taken.append(seconds(lambda: _health(where)))
    return [
        Figure(
            "after `kill -9` of the daemon, until `/health` answers again",
            _p95(taken),
            "nobody was refused: who asks waits in the backlog",
            "≤ 50 ms p50",
            "",
        )
    ]


def _weight() -> list[Figure]:
    with fresh_home() as somebody, ensure(somebody.home) as supervisor:
        names = _names("heavy")
        first = [_start(supervisor, somebody, next(names))["pid"] for _ in range(TEN)]
        ours = supervisor.call("status")
        own = [ours["pid"], ours["fork_server"]["pid"]]
        ten = sum(map(pss_of, [*first, *own]))
        more = _start(supervisor, somebody, next(names))["pid"]
        eleven = sum(map(pss_of, [*first, *own, more]))
        resident = _resident(ours["pid"])
        more_weighs, bare = eleven - ten, _bare()
    floors = f"an interpreter that imports nothing {bare:.1f} MB"
    compared = f"{more_weighs / bare:.1f} × an interpreter"
    return [
        Figure("memory of one more daemon (PSS)", f"{more_weighs:.1f} MB", floors, "≤ 8 MB", compared),
        Figure(f"{TEN} sessions, supervisor and fork server with them (PSS)", f"{ten:.0f} MB", "—", "≤ 105 MB", ""),
        Figure("the supervisor, resident", f"{resident:.1f} MB", "—", "≤ 40 MB", ""),
    ]


def _bare() -> float:
    with subprocess.Popen([sys.executable, "-c", "print(flush=True); input()"], stdin=-1, stdout=-1) as interpreter:
        assert interpreter.stdout is not None
        interpreter.stdout.readline()
        weighs = pss_of(interpreter.pid)
        interpreter.kill()
    return weighs


def _start_and_ask(supervisor: Connection, place: str) -> None:
    _health(supervisor.call("start", _wanted(place)))


def _names(what: str) -> Iterator[str]:
    number = 0
    while True:
        number += 1
        yield f"{what}-{number}"


def _some(what: str, count: int) -> list[str]:
    names = _names(what)
    return [next(names) for _ in range(count)]


def _wanted(place: str) -> dict[str, Any]:
    return {"id": new_id(), "name": "bench", "path": place, "ports": None, "config": None, "env": {}}


def _start(supervisor: Connection, somebody: Person, name: str) -> dict[str, Any]:
    where: dict[str, Any] = supervisor.call("start", _wanted(str(somebody.workspace(name))))
    return where


def _pid(where: dict[str, Any]) -> int:
    return int(_health(where)["pid"])


def _health(where: dict[str, Any]) -> dict[str, Any]:
    host, _, port = where["http_endpoint"].removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    try:
        connection.request("GET", "/health")
        told: dict[str, Any] = json.loads(connection.getresponse().read())
        return told
    finally:
        connection.close()


def _p95(times: list[float]) -> str:
    return f"{median(times) * 1e3:.1f} ms (p95 {statistics.quantiles(times, n=20)[-1] * 1e3:.1f})"


def _resident(pid: int) -> float:
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024 / 1024
