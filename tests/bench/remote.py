"""Agents on another machine, beside local ones and a bare ROUTER: a call, a key's echo, a flood."""

from __future__ import annotations

import contextlib
import os
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import zmq

from descartes_core.bus import messages as m
from descartes_core.bus.codec import decode, encode
from descartes_core.ids import new_id
from descartes_local.rpc_client import Connection
from descartes_orchestrator.hub.joining import enroll, make_keys
from tests.bench.attach import _ECHO, Attached
from tests.bench.bare_bus import bare_bus
from tests.bench.figures import Figure, interleaved, median, us
from tests.bench.ground import Ground, fresh_home
from tests.support.lent import Lent, lent
from tests.support.serving import only_run

CALLS, KEYS = 2000, 300
MEGABYTES, ROUNDS = 100, 3
PIECE, AT_ONCE = m.LARGEST_PIECE, 16
PROBE = "probe/5d3e1c9a-0000-4000-8000-000000000001"


def measure() -> list[Figure]:
    """Measure all beside their floors, with CURVE as ever, and without."""
    with fresh_home() as somebody, lent(somebody) as both, bare_bus("curve") as curve, bare_bus("plain") as plain:
        somebody.run("sessions", "start", both.shop)
        ground = Ground(somebody, both.shop, only_run(somebody.home))
        with ground.connect() as connection:
            _spawned(connection, ["true"], "big")  # it is at the hub by then
            figures = [_call(both, curve, plain), _key(ground, connection), *_flood(connection, curve, plain)]
        somebody.run("sessions", "stop", "shop", "--force", "--grace", 1)
        somebody.run("hub", "stop")  # else it would be without its supervisor for a moment, and find itself another one
        return figures


def _call(both: Lent, curve: zmq.Socket[bytes], plain: zmq.Socket[bytes]) -> Figure:
    with _probe(both) as probe:
        agent_id, asked = new_id(), m.AgentConfig(command=("cat",))
        asked = asked.model_copy(update={"agent_id": agent_id})
        _answered(probe, m.SpawnRequest(request_id=new_id(), config=asked))
        # Of a fixed length, as ids are, so that the floor carries as much.
        requests = [
            m.CustomActionRequest(request_id=new_id(), agent_id=agent_id, action="ping") for _ in range(CALLS + 1)
        ]
        body = encode(requests[0])

        def ask() -> None:
            _answered(probe, requests.pop())

        def echo(socket: zmq.Socket[bytes]) -> Callable[[], None]:
            def run() -> None:
                socket.send_multipart([b"echo", body])
                socket.recv_multipart()

            return run

        ours, floor, least = interleaved(CALLS, ask, echo(curve), echo(plain))
    return Figure(
        "daemon, hub, runner, and back, encoded and understood; CURVE",
        us(ours),
        f"bare blocking ROUTER between two DEALERs: {us(floor)}, without CURVE {us(least)}",
        "≤ 1.3 ×",
        f"{median(ours) / median(floor):.2f} ×",
    )


def _answered(probe: zmq.Socket[bytes], request: m.Request) -> None:
    """Ask, and take what comes until that is answered: heartbeats and reports come too."""
    probe.send_multipart([b"big", encode(request)])
    while request.request_id.encode() not in probe.recv_multipart()[1]:
        pass


@contextlib.contextmanager
def _probe(both: Lent) -> Iterator[zmq.Socket[bytes]]:
    """Give a peer that is enrolled as a daemon."""
    keys = make_keys()
    token = both.person.run("hub", "enroll", "--role", "daemon", "--name", "probe").stdout.split()[0]
    invitation, _ = enroll(token, keys)
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.curve_publickey, socket.curve_secretkey = keys.public.encode(), keys.secret.encode()
        socket.curve_serverkey = invitation.hub_key.encode()
        socket.connect(invitation.endpoint)
        socket.send(encode(m.Hello(protocol_version=m.PROTOCOL_VERSION, role="daemon", name=PROBE, generation=1)))
        assert isinstance(decode(socket.recv_multipart()[1]), m.Welcome)
        yield socket


def _key(ground: Ground, connection: Connection) -> Figure:
    agents = [_spawned(connection, _ECHO, on) for on in (None, "big")]
    with contextlib.ExitStack() as stack:
        attached = [stack.enter_context(contextlib.closing(Attached(ground, agent))) for agent in agents]
        for one in attached:
            one.until(lambda frame: isinstance(frame, dict) and frame["type"] == "screen" and "go" in frame["vt"])
        local, remote = interleaved(KEYS, *(one.press for one in attached))
    late, soon = (statistics.quantiles(times, n=20)[-1] for times in (remote, local))
    return Figure(
        "attach: from a key to its echo, p95, on a runner",
        f"{late * 1e3:.2f} ms",
        f"here {soon * 1e3:.2f} ms",
        "within 5 ms",
        f"{(late - soon) * 1e3:+.2f} ms",
    )


def _flood(connection: Connection, curve: zmq.Socket[bytes], plain: zmq.Socket[bytes]) -> list[Figure]:
    ours, floor, least = [], [], []
    for _ in range(ROUNDS):
        ours.append(_recorded(connection))
        floor.append(_pieces(curve))
        least.append(_pieces(plain))
    speeds = [MEGABYTES / median(times) for times in (ours, floor, least)]
    return [
        Figure(
            f"{MEGABYTES} MB of a program on a runner, recorded here, CURVE",
            f"{speeds[0]:.0f} MB/s",
            f"bare blocking ROUTER, pieces of 256 KiB: {speeds[1]:.0f} MB/s, without CURVE {speeds[2]:.0f} MB/s",
            "≥ 40 MB/s",
            f"{speeds[0] / speeds[1]:.2f} ×",
        )
    ]


def _recorded(connection: Connection) -> float:
    """Return how long it takes until all of a flood is in the log here."""
    begin = time.perf_counter()
    agent = _spawned(connection, ["sh", "-c", f"yes {'x' * 99} | head -c {MEGABYTES}000000"], "big", tty=False)
    while not connection.call("agent.wait", {"agent_id": agent})["ended"]:
        pass
    taken = time.perf_counter() - begin
    size = connection.call("agent.get", {"agent_id": agent})["agent"]["output_bytes"]
    assert size == MEGABYTES * 1_000_000, f"{size} bytes of {MEGABYTES} MB were recorded"
    return taken


def _pieces(socket: zmq.Socket[bytes]) -> float:
    begin = time.perf_counter()
    wanted, asked, came = MEGABYTES * 1_000_000 // PIECE + 1, 0, 0
    while came < wanted:
        while asked < wanted and asked < came + 2 * AT_ONCE:
            socket.send_multipart([b"echo", b"more %d %d" % (AT_ONCE, PIECE)])
            asked += AT_ONCE
        came += len(socket.recv_multipart()[1]) == PIECE
    taken = time.perf_counter() - begin
    while came < asked:
        came += len(socket.recv_multipart()[1]) == PIECE
    return taken


def _spawned(connection: Connection, command: list[str], on: str | None, **more: Any) -> str:
    asked = {"agent_id": new_id(), "request_id": new_id(), "command": command, **more}
    asked |= {"env": dict(os.environ)} if on is None else {"on": on}
    return str(connection.call("agent.spawn", asked)["agent"]["id"])
