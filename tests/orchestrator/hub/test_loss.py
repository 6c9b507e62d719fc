"""Who is silent is lost, who does not read harms nobody else, and who comes back is there again."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from descartes_core.bus import messages as m
from tests.support.hubs import Dealer, RunningHub, running_hub

NAME = "home/11111111-0000-4000-8000-000000000000"
OTHER = "home/22222222-0000-4000-8000-000000000000"
#: Seconds; so that three of them are soon over.
BEAT = 0.2


@pytest.fixture
def hub(directory: Path) -> Iterator[RunningHub]:
    with running_hub(directory, heartbeat_secs=BEAT) as running:
        yield running


@pytest.fixture
def daemon(hub: RunningHub) -> Iterator[Dealer]:
    with Dealer(hub, hub.enrolled("daemon", "home")) as made:
        made.hello("daemon", NAME)
        made.send(m.Heartbeat(interval_secs=100.0))
        made.wait_for(m.Heartbeat)
        yield made


@pytest.fixture
def runner(hub: RunningHub, daemon: Dealer) -> Iterator[Dealer]:
    with Dealer(hub, hub.enrolled("runner", "big")) as made:
        made.hello("runner", "big")
        assert daemon.wait_for(m.PeerUpdate).peer.state == "connected"
        yield made


def test_who_misses_heartbeats_is_lost_and_told(hub: RunningHub, daemon: Dealer, runner: Dealer) -> None:
    update = daemon.wait_for(m.PeerUpdate)
    assert (update.peer.name, update.peer.state) == ("big", "lost")
    told = hub.ask("hub.peers", role="runner")["peers"][0]
    assert told["state"] == "Reconnecting"
    assert told["last_heard"] < told["since"]
    runner.send(m.Heartbeat())
    assert runner.wait_for(m.Goodbye).code == "greet"
    assert isinstance(runner.hello("runner", "big"), m.Welcome)
    assert daemon.wait_for(m.PeerUpdate).peer.state == "connected"


def test_any_word_counts_as_a_heartbeat(daemon: Dealer, runner: Dealer) -> None:
    for _ in range(20):
        runner.socket.send_multipart([NAME.encode(), b"x"])
        frames = daemon.socket.recv_multipart()
        assert frames == [b"big", b"x"]
        runner.socket.poll(int(BEAT * 500))


def test_a_lost_one_of_an_older_start_is_let_in_again(hub: RunningHub, daemon: Dealer, runner: Dealer) -> None:
    assert daemon.wait_for(m.PeerUpdate).peer.state == "lost"
    # Of two that live the larger generation goes on; this one's clock may have been set back.
    assert isinstance(runner.hello("runner", "big", generation=0), m.Welcome)


def test_nobody_is_lost_because_the_hub_stood_still(hub: RunningHub, daemon: Dealer, runner: Dealer) -> None:
    assert hub.process is not None
    hub.process.send_signal(signal.SIGSTOP)
    assert not daemon.socket.poll(1500)
    hub.process.send_signal(signal.SIGCONT)
    runner.send(m.Heartbeat(agents=1))
    assert daemon.wait_for(m.PeerUpdate).peer.agents == 1


def test_who_does_not_read_is_not_waited_for(hub: RunningHub, daemon: Dealer, runner: Dealer) -> None:
    with Dealer(hub, hub.enrolled("daemon", "deaf")) as deaf:
        deaf.hello("daemon", "deaf/1")
        deaf.send(m.Heartbeat(interval_secs=100.0))
        piece = b"x" * m.LARGEST_PIECE
        # More than the hub sends to one that is silent.
        for number in range(400):
            runner.socket.send_multipart([b"deaf/1", piece])
            if number % 40 == 0:
                runner.socket.send_multipart([NAME.encode(), b"y"])
                while daemon.socket.recv_multipart() != [b"big", b"y"]:
                    pass
        problem = runner.wait_for(m.Problem)
        assert (problem.code, problem.to) == ("unavailable", "deaf/1")
        # It reads again, says a word, and all is well.
        while deaf.socket.poll(200):
            deaf.socket.recv_multipart()
        deaf.send(m.Heartbeat())
        deaf.wait_for(m.Heartbeat)
        runner.socket.send_multipart([b"deaf/1", b"z"])
        assert deaf.socket.poll(5000)
        while (frames := deaf.socket.recv_multipart())[-1] != b"z":
            pass
        assert frames == [b"big", b"z"]
    assert hub.ask("hub.status")["statistics"]["unreachable"] > 0


def test_a_client_that_left_is_told_of(hub: RunningHub, daemon: Dealer) -> None:
    with Dealer(hub, hub.enrolled("client", "ci"), zmq.REQ) as client:
        client.send(m.ListAgentsRequest(request_id="r"), NAME)
        sender, _ = daemon.receive()
    problem = None
    while problem is None:
        daemon.send(m.ListAgentsResponse(request_id="r", success=True), sender)
        if daemon.socket.poll(50):
            problem = daemon.wait_for(m.Problem)
    assert problem.to == sender
