"""A real hub: who comes in, who is whom, and what everybody is answered."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import zmq

from descartes_core.bus import messages as m
from descartes_core.bus.codec import encode
from descartes_core.errors import NameTaken, NotFound, Unauthorized
from descartes_core.ids import new_id
from descartes_orchestrator.hub.joining import enroll, make_keys
from tests.support.hubs import Dealer, RunningHub, invited, running_hub
from tests.support.waiting import wait_until

Connects = Callable[..., Dealer]
NAME = "home/11111111-0000-4000-8000-000000000000"


def health() -> m.HealthCheckRequest:
    return m.HealthCheckRequest(request_id=new_id())


def spawn() -> m.SpawnRequest:
    return m.SpawnRequest(request_id=new_id(), config=m.AgentConfig(command=("true",)))


def row(hub: RunningHub, name: str) -> dict[str, object]:
    found: dict[str, object] = next(row for row in hub.ask("hub.peers")["peers"] if row["name"] == name)
    return found


# Who comes in.


def test_a_token_lets_one_key_in_and_no_second(hub: RunningHub) -> None:
    token, keys = hub.token("runner", "big", ["gpu"]), make_keys()
    _, answer = enroll(token, keys)
    assert (answer.name, answer.role, answer.labels) == ("big", "runner", ("gpu",))
    assert enroll(token, keys)[1].name == "big"
    with pytest.raises(Unauthorized):
        enroll(token, make_keys())


def test_an_expired_token_lets_nobody_in(hub: RunningHub) -> None:
    token = hub.token("runner", "big", ttl=0.001)
    with pytest.raises(Unauthorized):
        enroll(token, make_keys())


def test_two_tokens_of_one_name_make_one_peer(hub: RunningHub) -> None:
    tokens = [hub.token("runner", "big") for _ in range(2)]
    enroll(tokens[0], make_keys())
    with pytest.raises(NameTaken):
        enroll(tokens[1], make_keys())


def test_an_unknown_key_gets_no_message_through(hub: RunningHub, peer: Connects) -> None:
    before = hub.ask("hub.status")["messages"]
    stranger = peer(make_keys())
    with contextlib.suppress(zmq.Again):
        stranger.socket.send(encode(health()), zmq.NOBLOCK)
    assert stranger.refused.poll(10_000)
    assert hub.ask("hub.status")["messages"] == before


def test_an_invitation_is_good_for_nothing_but_enrolling(hub: RunningHub, peer: Connects) -> None:
    hub.enrolled("daemon", "home")
    guest = peer(invited(hub.token("client", "ci")))
    for message in (health(), spawn(), m.Heartbeat()):
        guest.send(message)
        assert guest.receive()[1].code == "protocol_error"


def test_who_is_revoked_is_dead_at_once(hub: RunningHub, peer: Connects) -> None:
    runner, daemon = peer(hub.enrolled("runner", "big")), peer(hub.enrolled("daemon", "home"))
    runner.hello("runner", "big")
    daemon.hello("daemon", NAME)
    hub.ask("hub.revoke", name="big")
    assert runner.wait_for(m.Goodbye).code == "unauthorized"
    update = daemon.wait_for(m.PeerUpdate)
    assert (update.peer.name, update.peer.state) == ("big", "gone")
    runner.send(m.Heartbeat())
    assert runner.wait_for(m.Problem).code == "unauthorized"
    runner.send(health(), NAME)
    assert runner.wait_for(m.Problem).code == "unauthorized"
    with pytest.raises(NotFound):
        hub.ask("hub.revoke", name="big")


def test_a_revoked_client_that_never_greeted_is_not_answered_either(hub: RunningHub, peer: Connects) -> None:
    daemon, client = peer(hub.enrolled("daemon", "home")), peer(hub.enrolled("client", "ci"))
    daemon.hello("daemon", NAME)
    client.send(health())
    assert client.receive()[1].healthy
    client.send(spawn(), NAME)
    sender, request = daemon.receive()
    hub.ask("hub.revoke", name="ci")
    assert client.receive()[1].code == "unauthorized"
    for to in ("", NAME):
        client.send(spawn(), to)
        assert client.receive()[1].code == "unauthorized"
    daemon.send(m.SpawnResponse(request_id=request.request_id, success=True), sender)
    assert daemon.wait_for(m.Problem).to == sender


# Who is whom.


def test_everybody_is_welcome_and_hears_of_the_others(hub: RunningHub, peer: Connects) -> None:
    daemon, runner = peer(hub.enrolled("daemon", "home")), peer(hub.enrolled("runner", "big", ["gpu"]))
    welcome = daemon.hello("daemon", NAME, title="shop")
    assert isinstance(welcome, m.Welcome)
    assert welcome.peers == ()
    assert [one.title for one in runner.hello("runner", "big", labels=("fast",), capacity=4).peers] == ["shop"]
    told = daemon.wait_for(m.PeerUpdate).peer
    assert (told.name, told.state, told.labels, told.capacity) == ("big", "connected", ("gpu", "fast"), 4)
    runner.send(m.Goodbye())
    assert daemon.wait_for(m.PeerUpdate).peer.state == "gone"


def test_a_heartbeat_is_answered_and_tells_what_a_runner_does(hub: RunningHub, peer: Connects) -> None:
    daemon, runner = peer(hub.enrolled("daemon", "home")), peer(hub.enrolled("runner", "big"))
    daemon.hello("daemon", NAME)
    runner.hello("runner", "big")
    daemon.wait_for(m.PeerUpdate)
    runner.send(m.Heartbeat(agents=3, load=0.5))
    assert isinstance(runner.receive()[1], m.Heartbeat)
    told = daemon.wait_for(m.PeerUpdate).peer
    assert (told.agents, told.load) == (3, 0.5)
    assert hub.ask("hub.status")["agents"] == 3


def test_news_of_peers_are_numbered_so_that_who_missed_one_notices(hub: RunningHub, peer: Connects) -> None:
    daemon, runner = peer(hub.enrolled("daemon", "home")), peer(hub.enrolled("runner", "big"))
    before = daemon.hello("daemon", NAME).told
    runner.hello("runner", "big")
    assert daemon.wait_for(m.PeerUpdate).number == before + 1
    runner.hello("runner", "big")  # a peer that missed something: no news for others
    runner.send(m.Heartbeat(is_draining=True))
    assert daemon.wait_for(m.PeerUpdate).number == before + 2
    daemon.send(m.Heartbeat())
    assert daemon.wait_for(m.Heartbeat).told == before + 2
    again = daemon.hello("daemon", NAME)
    assert (again.told, [one.name for one in again.peers]) == (before + 2, ["big"])


def test_another_name_than_the_keys_own_is_refused_by_both(hub: RunningHub, peer: Connects) -> None:
    hub.enrolled("runner", "big")
    said = peer(hub.enrolled("runner", "small")).hello("runner", "big")
    assert said.code == "impostor"
    assert "big" in said.reason
    assert "small" in said.reason
    assert row(hub, "small")["state"] == "Failed"


def test_another_role_than_the_keys_own_is_refused(hub: RunningHub, peer: Connects) -> None:
    assert peer(hub.enrolled("client", "ci")).hello("daemon", "ci/x").code == "forbidden"


def test_another_protocol_is_refused_naming_both(hub: RunningHub, peer: Connects) -> None:
    said = peer(hub.enrolled("runner", "big")).hello("runner", "big", protocol_version="2.0.0")
    assert said.code == "version"
    assert "2.0.0" in said.reason
    assert m.PROTOCOL_VERSION in said.reason


def test_a_newer_minor_version_is_welcome(hub: RunningHub, peer: Connects) -> None:
    assert isinstance(peer(hub.enrolled("runner", "big")).hello("runner", "big", protocol_version="1.9.0"), m.Welcome)


def test_of_twins_the_larger_generation_goes_on(hub: RunningHub, peer: Connects) -> None:
    keys = hub.enrolled("runner", "big")
    first, second, third = peer(keys), peer(keys), peer(keys)
    assert isinstance(first.hello("runner", "big", generation=5), m.Welcome)
    assert isinstance(second.hello("runner", "big", generation=7), m.Welcome)
    assert first.wait_for(m.Goodbye).code == "twin"
    assert third.hello("runner", "big", generation=6).code == "twin"
    second.send(m.Heartbeat())
    assert isinstance(second.receive()[1], m.Heartbeat)


def test_a_fresh_socket_of_the_same_process_takes_its_place(hub: RunningHub, peer: Connects) -> None:
    keys, daemon = hub.enrolled("runner", "big"), peer(hub.enrolled("daemon", "home"))
    daemon.hello("daemon", NAME)
    first, second = peer(keys), peer(keys)
    first.hello("runner", "big", generation=5)
    assert isinstance(second.hello("runner", "big", generation=5), m.Welcome)
    request = spawn()
    daemon.send(request, "big")
    assert second.wait_for(m.SpawnRequest).request_id == request.request_id


def test_who_has_not_greeted_is_asked_to(hub: RunningHub, peer: Connects) -> None:
    runner = peer(hub.enrolled("runner", "big"))
    for _ in range(2):
        runner.send(m.Heartbeat())
        assert runner.receive()[1].code == "greet"
    runner.send(m.Heartbeat(), NAME)
    assert runner.receive()[1].code == "greet"


# What goes to whom.


def test_messages_go_both_ways_as_they_are(hub: RunningHub, peer: Connects) -> None:
    daemon, runner = peer(hub.enrolled("daemon", "home")), peer(hub.enrolled("runner", "big"))
    daemon.hello("daemon", NAME)
    runner.hello("runner", "big")
    # What the hub forwards it does not read: this is nonsense.
    for size in (1, 100, 300_000, m.LARGEST):
        daemon.socket.send_multipart([b"big", b"x" * size])
        assert _next_forwarded(runner) == [NAME.encode(), b"x" * size]
        runner.socket.send_multipart([NAME.encode(), b"y" * size])
        assert _next_forwarded(daemon) == [b"big", b"y" * size]


def test_a_daemon_is_meant_by_its_title_too(hub: RunningHub, peer: Connects) -> None:
    daemon, client = peer(hub.enrolled("daemon", "home")), peer(hub.enrolled("client", "ci"))
    daemon.hello("daemon", NAME, title="shop")
    for to in (NAME, "shop", "home/shop"):
        client.send(health(), to)
        sender, message = daemon.receive()
        daemon.send(
            m.HealthCheckResponse(request_id=message.request_id, healthy=True, protocol_version="1.0.0"), sender
        )
        assert client.receive()[0] == NAME


def test_a_req_and_a_dealer_are_answered_alike(hub: RunningHub, peer: Connects) -> None:
    daemon, keys = peer(hub.enrolled("daemon", "home")), hub.enrolled("client", "ci")
    daemon.hello("daemon", NAME)
    for kind in (zmq.REQ, zmq.DEALER):
        client = peer(keys, kind)
        client.send(health())
        assert client.receive()[1].metadata["max_agents"] == 100
        request = spawn()
        client.send(request, NAME)
        sender, _ = daemon.receive()
        daemon.send(m.SpawnResponse(request_id=request.request_id, success=True), sender)
        assert client.receive()[1].request_id == request.request_id


def test_two_programs_with_one_key_hear_each_its_own_answers(hub: RunningHub, peer: Connects) -> None:
    daemon, keys = peer(hub.enrolled("daemon", "home")), hub.enrolled("client", "ci")
    daemon.hello("daemon", NAME)
    clients, requests = [peer(keys) for _ in range(3)], [spawn() for _ in range(3)]
    for client, request in zip(clients, requests, strict=True):
        client.send(request, NAME)
    asked = [daemon.receive() for _ in clients]
    for sender, request in reversed(asked):
        daemon.send(m.SpawnResponse(request_id=request.request_id, success=True), sender)
    assert [client.receive()[1].request_id for client in clients] == [one.request_id for one in requests]


def test_what_is_asked_of_nobody_goes_to_the_only_daemon(hub: RunningHub, peer: Connects) -> None:
    keys, client = hub.enrolled("daemon", "home"), peer(hub.enrolled("client", "ci"))
    request = spawn()
    client.send(request)
    problem = client.receive()[1]
    assert (problem.code, problem.request_id) == ("not_found", request.request_id)
    first = peer(keys)
    first.hello("daemon", NAME)
    client.send(spawn())
    assert isinstance(first.receive()[1], m.SpawnRequest)
    peer(keys).hello("daemon", "home/22222222", title="mill")
    client.send(spawn())
    problem = client.receive()[1]
    assert problem.code == "ambiguous"
    assert NAME in problem.error
    assert "home/22222222" in problem.error


@pytest.mark.parametrize(
    ("sender", "receiver"),
    [("client", "runner"), ("client", "client"), ("runner", "runner"), ("runner", "client"), ("daemon", "daemon")],
)
def test_a_role_speaks_only_to_whom_it_may(hub: RunningHub, peer: Connects, sender: m.Role, receiver: m.Role) -> None:
    names = {"daemon": ("one/1", "two/2")}
    one, two = (name.partition("/")[0] for name in names.get(sender, ("one", "two")))
    first, second = peer(hub.enrolled(sender, one)), peer(hub.enrolled(receiver, two))
    first.hello(sender, "one/1" if sender == "daemon" else "one")
    second.hello(receiver, "two/2" if receiver == "daemon" else "two", updates=True)
    to = "two/2" if receiver == "daemon" else "two"
    if receiver == "client":
        to = next(
            str(found["name"])
            for found in hub.ask("hub.peers")["peers"]
            if found["state"] == "Connected" and "two" in found["name"]
        )
    first.send(health(), to)
    assert first.wait_for(m.Problem).code == "forbidden"


@pytest.mark.parametrize(
    "message",
    [m.Output(agent_id="a", offset=0), m.Hello(protocol_version="1.0.0", role="client", name="ci", generation=1)],
)
def test_a_client_says_to_daemons_only_what_clients_say(hub: RunningHub, peer: Connects, message: m.Message) -> None:
    peer(hub.enrolled("daemon", "home")).hello("daemon", NAME)
    client = peer(hub.enrolled("client", "ci"))
    client.send(message, NAME)
    assert client.receive()[1].code == "forbidden"


def test_who_is_not_there_is_told(hub: RunningHub, peer: Connects) -> None:
    daemon = peer(hub.enrolled("daemon", "home"))
    daemon.hello("daemon", NAME)
    hub.enrolled("runner", "big")
    for to, code in (("big", "unavailable"), ("nobody", "not_found")):
        daemon.send(spawn(), to)
        problem = daemon.wait_for(m.Problem)
        assert (problem.code, problem.to) == (code, to)


def test_a_runner_that_left_without_a_word_is_told_at_once(hub: RunningHub, peer: Connects) -> None:
    daemon, runner = peer(hub.enrolled("daemon", "home")), peer(hub.enrolled("runner", "big"))
    daemon.hello("daemon", NAME)
    runner.hello("runner", "big")
    runner.close()

    def is_told() -> bool:
        daemon.send(spawn(), "big")
        return daemon.wait_for(m.Problem, 0.5).code == "unavailable" if daemon.socket.poll(500) else False

    wait_until(is_told, "the hub says that it cannot reach it")


# Nonsense.


@pytest.mark.parametrize(
    "frames",
    [
        [b""],
        [b"nonsense"],
        [b"\xc1"],
        [b"\x80"],
        [b"\x81\xa4type\xa3xyz"],
        [b"\x81\xa4type\xaaheartbeat!"],
        [b"", b""],
        [b"", b"", b""],
        [b"a", b"b", b"c"],
        [b"", b"a", b"b", b"c"],
        [b"x"] * 50,
        [b"\xff\xfe", b"x"],
        [b"n" * 5000, b"x"],
        [b"", b"", b"", b"", b"", b""],
        [b"\x90"],
        [b"\xdd\xff\xff\xff\xff"],
        [b"\x81" * 3000],
        [b"x" * (m.LARGEST + 1)],
    ],
    ids=lambda frames: f"{len(frames)}x{len(frames[0])}",
)
def test_nonsense_is_answered_and_nothing_else_happens(hub: RunningHub, peer: Connects, frames: list[bytes]) -> None:
    runner = peer(hub.enrolled("runner", "big"))
    runner.hello("runner", "big")
    runner.socket.send_multipart(frames)
    assert runner.receive()[1].code in ("protocol_error", "too_large", "not_found")
    runner.send(m.Heartbeat())
    assert isinstance(runner.wait_for(m.Heartbeat), m.Heartbeat)


def test_a_flood_of_nonsense_is_answered_so_often_and_then_counted(hub: RunningHub, peer: Connects) -> None:
    runner, keys = peer(hub.enrolled("runner", "big")), hub.enrolled("client", "ci")
    runner.hello("runner", "big")
    before = hub.ask("hub.status")["statistics"]
    for _ in range(5000):
        runner.send(b"nonsense")
    client = peer(keys)
    client.send(health())
    assert client.receive()[1].healthy
    told, dropped = wait_until(lambda: _counted_since(hub, before, 5000), "all of it is counted")
    assert told + dropped == 5000
    assert told < 1000


def test_what_is_far_too_large_ends_one_connection_only(hub: RunningHub, peer: Connects) -> None:
    runner, client = peer(hub.enrolled("runner", "big")), peer(hub.enrolled("client", "ci"))
    runner.hello("runner", "big")
    runner.send(b"x" * (3 * m.LARGEST))
    client.send(health())
    assert client.receive()[1].healthy
    # libzmq connects anew by itself, and the hub does not know that socket.
    runner.send(m.Heartbeat())
    assert runner.receive()[1].code == "greet"


def test_who_speaks_without_a_key_is_not_heard(hub: RunningHub, peer: Connects) -> None:
    client, before = peer(hub.enrolled("client", "ci")), hub.ask("hub.status")["messages"]
    context = zmq.Context()
    plain = context.socket(zmq.DEALER)
    refused = plain.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL)
    plain.connect(hub.endpoint)
    plain.send(encode(health()))
    assert refused.poll(10_000)
    plain.disable_monitor()
    context.destroy(linger=0)
    host, _, port = hub.endpoint.removeprefix("tcp://").rpartition(":")
    for garbage in (b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 64, b"\xff\0\0\0\0\0\0\0\0\x7f\3\0CURVE" + b"\0" * 100):
        with socket.create_connection((host, int(port)), timeout=10.0) as raw:
            raw.sendall(garbage)
    client.send(health())
    assert client.receive()[1].healthy
    assert hub.ask("hub.status")["messages"] == before + 1


def test_a_unix_socket_asks_for_a_key_too(directory: Path) -> None:
    with running_hub(directory, endpoint=f"ipc://{directory}/bus") as hub:
        with Dealer(hub, hub.enrolled("client", "ci")) as client:
            client.send(health())
            assert client.receive()[1].metadata["endpoint"] == hub.endpoint
        with Dealer(hub, make_keys()) as stranger:
            assert stranger.refused.poll(10_000)


# Loss and return.


def test_after_a_kill_everybody_is_asked_to_greet_again(hub: RunningHub, peer: Connects) -> None:
    daemon, runner = peer(hub.enrolled("daemon", "home")), peer(hub.enrolled("runner", "big"))
    daemon.hello("daemon", NAME)
    before = runner.hello("runner", "big").instance_id
    hub.end(signal.SIGKILL)
    hub.start()
    for one, role, name in ((daemon, "daemon", NAME), (runner, "runner", "big")):
        one.send(m.Heartbeat())
        assert one.wait_for(m.Goodbye).code == "greet"
        one.send(m.Hello(protocol_version="1.0.0", role=role, name=name, generation=1))  # type: ignore[arg-type]
        assert one.wait_for(m.Welcome).instance_id != before
    daemon.send(spawn(), "big")
    assert isinstance(runner.wait_for(m.SpawnRequest), m.SpawnRequest)


def test_asked_to_end_the_hub_says_goodbye(hub: RunningHub, peer: Connects) -> None:
    runner = peer(hub.enrolled("runner", "big"))
    runner.hello("runner", "big")
    assert hub.end()[0] == 0
    assert runner.wait_for(m.Goodbye).code is None


def test_a_second_hub_of_one_home_does_not_begin(hub: RunningHub) -> None:
    with pytest.raises(AssertionError, match="ended with 4"):
        RunningHub(hub.home)
    assert hub.ask("hub.status")["endpoint"] == hub.endpoint


def _next_forwarded(peer: Dealer) -> list[bytes]:
    while True:
        assert peer.socket.poll(15_000)
        frames = peer.socket.recv_multipart()
        if frames[0]:
            return frames


def _counted_since(hub: RunningHub, before: dict[str, int], least: int) -> tuple[int, int] | None:
    now = hub.ask("hub.status")["statistics"]
    told, dropped = (now[name] - before[name] for name in ("problems", "dropped"))
    return (told, dropped) if told + dropped >= least else None
