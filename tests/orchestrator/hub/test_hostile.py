"""Who is enrolled and means harm: everybody else goes on as before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest

from descartes_core.bus import messages as m
from descartes_core.bus.codec import encode
from descartes_core.errors import NotFound, Unauthorized
from descartes_core.ids import new_id
from descartes_orchestrator.hub.joining import enroll, make_keys
from tests.support.hubs import Dealer, RunningHub

Connects = Callable[..., Dealer]
NAME = "home/11111111-0000-4000-8000-000000000000"


def packed(message: m.Message, **other: Any) -> bytes:
    return bytes(msgpack.packb({**msgpack.unpackb(encode(message)), **other}))


def hello(role: m.Role, name: str) -> m.Hello:
    return m.Hello(protocol_version=m.PROTOCOL_VERSION, role=role, name=name, generation=1)


def test_a_runner_cannot_fill_everybodys_welcome(hub: RunningHub, peer: Connects) -> None:
    runner = peer(hub.enrolled("runner", "big"))
    for labels in (["x" * 200] * 50_000, ["x" * 200] * 51, ["x"] * 100_001):
        runner.send(packed(hello("runner", "big"), labels=labels))
        assert runner.receive()[1].code in ("too_large", "protocol_error")
    assert isinstance(runner.hello("runner", "big", labels=("x" * 200,) * 50), m.Welcome)
    assert len(peer(hub.enrolled("daemon", "home")).hello("daemon", NAME).peers) == 1


@pytest.mark.parametrize(
    "figures", [{"load": float("nan")}, {"load": float("inf")}, {"agents": -5}, {"interval_secs": float("inf")}]
)
def test_figures_that_are_none_are_refused(hub: RunningHub, peer: Connects, figures: dict[str, Any]) -> None:
    runner = peer(hub.enrolled("runner", "big"))
    runner.hello("runner", "big")
    runner.send(packed(m.Heartbeat(), **figures))
    assert runner.receive()[1].code == "protocol_error"


def test_one_connection_has_one_name(hub: RunningHub, peer: Connects) -> None:
    daemon = peer(hub.enrolled("daemon", "home"))
    daemon.hello("daemon", NAME)
    assert daemon.hello("daemon", "home/2").code == "impostor"
    assert [row["name"] for row in hub.ask("hub.peers")["peers"]] == [NAME]


@pytest.mark.parametrize("name", ["home", "home/", "home/1/2", "home/1#2", "home/\n1", "home/\x1b[2J"])
def test_a_daemon_has_its_session_in_its_name(hub: RunningHub, peer: Connects, name: str) -> None:
    assert peer(hub.enrolled("daemon", "home")).hello("daemon", name).code == "impostor"


def test_a_runner_has_none(hub: RunningHub, peer: Connects) -> None:
    assert peer(hub.enrolled("runner", "big")).hello("runner", "big/1").code == "impostor"


def test_a_client_keeps_nobody_waiting_by_what_must_be_read(hub: RunningHub, peer: Connects) -> None:
    client = peer(hub.enrolled("client", "ci"))
    spawn = m.SpawnRequest(request_id=new_id(), config=m.AgentConfig())
    for config in ({"command": [1] * 100_001}, {"command": [1] * 90_000}, {"environment": {"x": [{}] * 100_001}}):
        for to in ([], [NAME.encode()]):
            client.socket.send_multipart([*to, packed(spawn, config=config)])
            assert client.receive()[1].code in ("too_large", "protocol_error")


def test_what_is_noted_cannot_forge_a_line_or_move_a_cursor(hub: RunningHub, peer: Connects) -> None:
    daemon = peer(hub.enrolled("daemon", "home"))
    assert isinstance(daemon.hello("daemon", NAME, title="a\n2026 enrolled: daemon evil\x1b[2J\u202e"), m.Welcome)
    _, noted = hub.end()
    (line,) = [line for line in noted.splitlines() if "evil" in line]
    assert "connected: daemon" in line
    assert line.isprintable()
    hub.start()


def test_a_token_that_nobody_used_is_taken_back_by_its_name(hub: RunningHub) -> None:
    tokens = [hub.token("runner", "big") for _ in range(2)]
    enroll(tokens[0], make_keys())
    hub.ask("hub.revoke", name="big")
    late = hub.token("runner", "small")
    assert hub.ask("hub.revoke", name="small", role="runner") == {"name": "small", "role": "runner"}
    for token in (*tokens, late):
        with pytest.raises(Unauthorized):
            enroll(token, make_keys())
    with pytest.raises(NotFound):
        hub.ask("hub.revoke", name="small")
