"""A hub that a thousand runners are connected to: its memory, its answers, and how soon all come back."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from descartes_local.bus_file import Keys
from descartes_local.home import Home
from descartes_local.json_file import write_json
from descartes_orchestrator.hub.enrolment import FORMAT
from descartes_orchestrator.hub.joining import make_keys
from tests.bench.figures import Figure, interleaved, ms
from tests.bench.hub_fleet import AGENTS
from tests.support.hubs import RunningHub
from tests.support.programs import installed
from tests.support.waiting import wait_until
from tests.support.weight import MEBIBYTE, memory_of

RUNNERS, ROUNDS = 1000, 10
_LONGEST = 120.0


def measure() -> list[Figure]:
    """Let all come, ask, kill the hub, and wait until all are back."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        with tempfile.TemporaryDirectory(prefix="b", dir="/tmp") as made, _hub(Home(Path(made) / ".descartes")) as hub:
            return _figures(hub, Path(made))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _figures(hub: RunningHub, directory: Path) -> list[Figure]:
    assert hub.process is not None
    alone = memory_of(hub.process.pid)
    command = [sys.executable, "-m", "tests.bench.hub_fleet", hub.endpoint, hub.key, str(directory / "keys")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as fleet:
        try:
            assert fleet.stdout is not None
            assert fleet.stdout.readline() == "all\n"
            wait_until(lambda: hub.ask("hub.status")["agents"] == RUNNERS * AGENTS, "all have told", _LONGEST)
            memory = memory_of(hub.process.pid)
            environment = {**os.environ, "DESCARTES_HOME": str(hub.home.path)}
            words = [[installed("descartes"), *verb.split()] for verb in ("runners list --json", "supervisor status")]
            answer, listed, floor = interleaved(
                ROUNDS,
                lambda: hub.ask("hub.peers", role="runner"),
                *(_runs(line, environment) for line in words),
            )
            back = _return(hub)
        finally:
            fleet.kill()
    what = f"{RUNNERS:,} runners of {AGENTS} agents"
    return [
        Figure(
            f"memory of a hub with {what}",
            f"{memory / MEBIBYTE:.0f} MiB",
            f"with none {alone / MEBIBYTE:.0f} MiB",
            "< 300 MB",
            f"{(memory - alone) / RUNNERS / 1024:.0f} KiB each",
        ),
        Figure(f"hub lists {what}, open", ms(answer), "-", "< 100 ms", "-"),
        Figure(
            f"`runners list --json`, {what}, whole process",
            ms(listed),
            f"`supervisor status` {ms(floor)}",
            "< 100 ms",
            "-",
        ),
        Figure(f"all of {what} are back after `kill -9` of the hub and its start", f"{back:.1f} s", "-", "≤ 30 s", "-"),
    ]


def _return(hub: RunningHub) -> float:
    hub.end(signal.SIGKILL)
    hub.start()
    begin = time.monotonic()
    wait_until(lambda: hub.ask("hub.status")["connected"]["runner"] == RUNNERS, "all are back", _LONGEST)
    return time.monotonic() - begin


def _runs(words: list[str], environment: dict[str, str]) -> Callable[[], None]:
    def run() -> None:
        subprocess.run(words, env=environment, check=True, stdout=subprocess.DEVNULL)

    return run


@contextlib.contextmanager
def _hub(home: Home) -> Iterator[RunningHub]:
    named: list[tuple[str, Keys]] = [(f"runner{number}", make_keys()) for number in range(RUNNERS)]
    (home.path / "hub").mkdir(parents=True)
    peers = [
        {"name": name, "role": "runner", "key": keys.public, "labels": ["gpu"], "is_drained": False, "at": 0.0}
        for name, keys in named
    ]
    write_json(home.path / "hub" / "peers.json", {"format": FORMAT, "peers": peers, "invitations": []})
    (home.path.parent / "keys").write_text("".join(f"{name} {keys.secret}\n" for name, keys in named))
    hub = RunningHub(home)
    try:
        yield hub
    finally:
        hub.close()
