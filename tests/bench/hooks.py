"""What hooks cost those who have nothing to do with them, and how fast they tell."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from descartes_local.rpc_client import Connection
from descartes_local.run_file import read_run_files
from tests.bench.figures import Figure, interleaved, median, ms
from tests.bench.flood import flood
from tests.bench.ground import Ground, pss_of, running_session
from tests.support import receiver
from tests.support.receiver import Receiver

MEGABYTES, FLOODS, SPAWNS, EVENTS = 50, 5, 40, 500


def measure() -> list[Figure]:
    """Compare a session without hooks and one with four dead ones, in turn; then post to a receiver that lives."""
    with running_session() as quiet, quiet.connect() as plain:
        empty = pss_of(quiet.daemon.pid)
        with _hooked(quiet) as hooked, hooked.connect() as connection:
            spawns = interleaved(SPAWNS, lambda: _spawn(quiet, plain), lambda: _spawn(hooked, connection))
            floods = interleaved(FLOODS, lambda: _flood(quiet, plain), lambda: _flood(hooked, connection))
            told = pss_of(hooked.daemon.pid)
        posted, floor = _posted(plain)
    return [
        Figure(
            "an agent from spawn to end, beside four dead hooks",
            ms(spawns[1]),
            f"without hooks {ms(spawns[0])}",
            "≤ 1.05 ×",
            f"{median(spawns[1]) / median(spawns[0]):.2f} ×",
        ),
        Figure(
            f"{MEGABYTES} MB from a terminal, beside four dead hooks",
            f"{MEGABYTES / median(floods[1]):.0f} MB/s",
            f"without hooks {MEGABYTES / median(floods[0]):.0f} MB/s",
            "≥ 0.95 ×",
            f"{median(floods[0]) / median(floods[1]):.2f} ×",
        ),
        Figure(
            f"{EVENTS} events posted, one after the other, each written down",
            f"{EVENTS / posted:.0f}/s",
            f"http.client to the same receiver, nothing written: {EVENTS / floor:.0f}/s",
            "≥ 0.2 ×",
            f"{floor / posted:.2f} ×",
        ),
        Figure(
            "daemon's memory (PSS) with four hooks",
            f"{told:.1f} MB",
            f"{empty:.1f} MB before anything was asked of one without",
            "+ 3 MB",
            f"{told - empty:+.1f} MB",
        ),
    ]


@contextmanager
def _hooked(quiet: Ground) -> Iterator[Ground]:
    """Give a second session, whose hooks hang, are refused, and lead nowhere."""
    workspace = quiet.person.workspace("hooked")
    quiet.person.run("sessions", "start", workspace)
    run = next(run for run in read_run_files(quiet.person.home) if run.session_id != quiet.daemon.session_id)
    ground = Ground(quiet.person, workspace, run)
    with Receiver(usual=receiver.hangs) as hanging, ground.connect() as connection:
        for where in (hanging.url, hanging.url, f"http://localhost:{_closed_port()}/", "http://nowhere.invalid/"):
            connection.call("hook.add", {"url": where, "allow_private": True})
        yield ground


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _spawn(ground: Ground, connection: Connection) -> None:
    connection.call("agent.wait", {"agent_id": ground.spawn(connection, ["/bin/true"])})


def _flood(ground: Ground, connection: Connection) -> None:
    connection.call("agent.wait", {"agent_id": ground.spawn(connection, flood(MEGABYTES))})


def _posted(connection: Connection) -> tuple[float, float]:
    """Return how long it takes to tell of many events, and to post as many without us."""
    for number in range(EVENTS):
        connection.call("session.rename", {"name": f"shop {number}"})
    with Receiver() as taker:
        begin = time.perf_counter()
        asked = {"url": taker.url, "allow_private": True, "on": ["system.session_renamed"], "since": 0}
        connection.call("hook.add", asked)
        body = taker.count(EVENTS, 300.0)[-1].body
        ours = time.perf_counter() - begin
        begin = time.perf_counter()
        for _ in range(EVENTS):
            plain = http.client.HTTPConnection("localhost", taker.port)
            plain.request("POST", "/told", body, {"Content-Type": "application/json"})
            assert plain.getresponse().read() == b""
            plain.close()
        assert json.loads(body)["event_type"] == "session_renamed"
        return ours, time.perf_counter() - begin
