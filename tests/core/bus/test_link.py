from __future__ import annotations

from typing import get_args

import pytest

from descartes_core.bus import messages as m
from descartes_core.bus.asked import ANSWER_TO, Answer
from descartes_core.bus.codec import decode, encode
from descartes_core.bus.link import PATIENCE, Link, LinkState, Received
from descartes_core.errors import ProtocolError

ME = m.Hello(protocol_version=m.PROTOCOL_VERSION, role="daemon", name="laptop/1", generation=7)
WELCOME = m.Welcome(protocol_version="1.4.0", server_id="h", instance_id="i", heartbeat_secs=2.0, misses=3)
SPAWN = m.SpawnRequest(request_id="r1", config=m.AgentConfig(command=("true",)))
SPAWNED = m.SpawnResponse(request_id="r1", success=True)


def a_link(me: m.Hello = ME) -> Link:
    return Link(me, random=lambda: 1.0)


def connected(now: float = 0.0, me: m.Hello = ME) -> Link:
    """Return a link that was welcomed, with nothing left to send but its first heartbeat."""
    link = a_link(me)
    link.opened(now)
    assert link.receive(from_hub(WELCOME), now) == [Received("", WELCOME)]
    link.tick(now)
    assert [one.type for _, one in sent(link)] == ["hello", "heartbeat"]
    return link


def from_hub(message: m.Message) -> list[bytes]:
    return [b"", encode(message)]


def from_peer(name: str, message: m.Message) -> list[bytes]:
    return [name.encode(), encode(message)]


def sent(link: Link) -> list[tuple[str, m.Message]]:
    """Return what the link sends now: to whom, what."""
    return [(frames[0].decode() if len(frames) == 2 else "", decode(frames[-1])) for frames in link.frames_to_send()]


def a_peer(name: str = "big", state: str = "connected", generation: int = 1) -> m.Peer:
    fields = {"name": name, "role": "runner", "state": state, "key": "k", "since": "s", "generation": generation}
    return m.Peer.model_validate(fields)


def test_it_greets_and_is_welcomed() -> None:
    link = a_link()
    assert (link.state, link.wants_socket) == (LinkState.DISCONNECTED, 0.0)
    link.opened(1.0)
    assert (link.state, link.wants_socket) == (LinkState.CONNECTING, None)
    assert sent(link) == [("", ME)]
    link.receive(from_hub(WELCOME), 1.5)
    assert (link.state, link.since, link.statistics.connected_since) == (LinkState.CONNECTED, 1.5, 1.5)
    assert link.statistics.reconnections == 0


def test_before_it_is_welcomed_only_what_was_asked_is_kept() -> None:
    link = a_link()
    link.ask(SPAWN, "big", now=0.0, deadline=30.0)
    assert not link.tell(m.Goodbye(), now=0.0)
    link.opened(1.0)
    assert sent(link) == [("", ME)]
    link.receive(from_hub(WELCOME), 1.1)
    assert sent(link) == [("big", SPAWN)]


def test_an_answer_comes_once_and_only_of_whom_was_asked() -> None:
    link = connected()
    link.ask(SPAWN, "big", now=0.0, deadline=30.0)
    assert link.receive(from_peer("small", SPAWNED), 0.1) == []
    assert link.receive(from_hub(SPAWNED), 0.1) == []
    assert link.receive(from_peer("big", m.CommandResponse(request_id="r1", agent_id="a", success=True)), 0.1) == []
    assert link.receive(from_peer("big", SPAWNED.model_copy(update={"request_id": "r2"})), 0.1) == []
    assert link.receive(from_peer("big", SPAWNED), 0.2) == [Received("big", SPAWNED)]
    assert link.receive(from_peer("big", SPAWNED), 0.3) == []
    assert link.statistics.dropped == 5


def test_a_client_hears_whomever_the_hub_found_for_it() -> None:
    link = connected(me=ME.model_copy(update={"role": "client", "name": "me"}))
    link.ask(SPAWN, "shop", now=0.0, deadline=30.0)
    assert link.receive(from_peer("laptop/1", SPAWNED), 0.1) == [Received("laptop/1", SPAWNED)]


def test_what_is_not_answered_is_sent_again_ever_more_seldom() -> None:
    link = connected()
    link.ask(SPAWN, "big", now=0.0, deadline=100.0)
    assert [to for to, _ in sent(link)] == ["big"]
    times = []
    for now in range(1, 99):
        link.receive(from_hub(m.Heartbeat()), now)
        link.tick(now)
        times += [now for to, message in sent(link) if (to, message) == ("big", SPAWN)]
    assert times == [3, 9, 21, 45, 75]


def test_what_nobody_answers_expires() -> None:
    link = connected()
    link.ask(SPAWN, "big", now=0.0, deadline=1.5)
    assert link.due() == 1.5
    assert link.tick(1.4) == []
    assert [one.request_id for one in link.tick(1.5)] == ["r1"]
    assert link.receive(from_peer("big", SPAWNED), 1.6) == []


def test_what_is_forgotten_is_neither_sent_nor_heard() -> None:
    link = connected()
    link.ask(SPAWN, "big", now=0.0, deadline=30.0)
    link.forget("r1")
    assert link.receive(from_peer("big", SPAWNED), 0.1) == []
    assert link.tick(60.0) == []


def test_a_peer_that_comes_back_is_asked_again_in_order() -> None:
    link = connected()
    asked = [SPAWN.model_copy(update={"request_id": str(number)}) for number in range(3)]
    for one in asked:
        link.ask(one, "big", now=0.0, deadline=30.0)
    sent(link)
    for state, generation, again in (
        ("lost", 1, []),
        ("connected", 1, asked),
        ("connected", 1, []),
        ("connected", 2, asked),
    ):
        news = m.PeerUpdate(peer=a_peer(state=state, generation=generation))
        assert link.receive(from_hub(news), 0.1) == [Received("", news)]
        assert [message for _, message in sent(link)] == again
    link.receive(from_hub(m.PeerUpdate(peer=a_peer(state="gone"))), 0.2)
    assert link.peers == {}


def test_who_missed_news_of_peers_is_welcomed_again() -> None:
    link = connected()
    news = [m.PeerUpdate(peer=a_peer(name), number=number) for number, name in enumerate(("big", "gone", "small"), 1)]
    assert link.receive(from_hub(news[0]), 0.1) == [Received("", news[0])]
    assert link.receive(from_hub(news[0]), 0.1) == []
    link.receive(from_hub(m.Heartbeat(told=1)), 0.2)
    assert sent(link) == []
    assert link.receive(from_hub(news[2]), 0.3) == []
    link.receive(from_hub(m.Heartbeat(told=3)), 0.3)
    assert sent(link) == [("", ME), ("", ME)]
    welcome = WELCOME.model_copy(update={"peers": (a_peer("small"),), "told": 3})
    assert link.receive(from_hub(welcome), 0.4) == [Received("", welcome)]
    assert (list(link.peers), link.state, link.since) == (["small"], LinkState.CONNECTED, 0.0)
    assert link.statistics.reconnections == 0
    assert link.receive(from_hub(WELCOME), 0.5) == []
    assert list(link.peers) == ["small"]


def test_three_heartbeats_without_an_answer_and_the_hub_is_lost() -> None:
    link = connected()
    for now in (2.0, 4.0):
        assert link.due() == now
        link.tick(now)
        assert [message.type for _, message in sent(link)] == ["heartbeat"]
    link.tick(6.0)
    assert (link.state, link.failure, link.wants_socket) == (LinkState.RECONNECTING, "the hub is silent", 6.1)


def test_who_was_stopped_itself_asks_before_it_takes_the_hub_for_lost() -> None:
    link = connected()
    link.tick(3600.0)
    assert link.state is LinkState.CONNECTED
    assert [message.type for _, message in sent(link)] == ["heartbeat"]


def test_anything_that_comes_is_an_answer_to_a_heartbeat() -> None:
    link = connected()
    for now in range(2, 40, 2):
        link.tick(now)
        with pytest.raises(ProtocolError):
            link.receive([b"", b"\xc1"], now + 1)
    assert link.state is LinkState.CONNECTED
    assert link.statistics.errors == 19


def test_a_slow_pace_is_told_and_kept() -> None:
    link = connected()
    link.set_pace(20.0, 1.0)
    link.tick(1.0)
    assert sent(link) == [("", m.Heartbeat(generation=7, interval_secs=20.0))]
    assert link.due() == 21.0
    link.set_pace(None, 5.0)
    link.tick(5.0)
    assert sent(link) == [("", m.Heartbeat(generation=7, interval_secs=2.0))]


def test_that_it_drains_is_told_at_once() -> None:
    link = connected()
    link.report(0.5, agents=2, load=0.1, is_draining=True)
    assert link.due() == 0.5
    link.tick(0.5)
    heartbeat = m.Heartbeat(generation=7, agents=2, load=0.1, is_draining=True, interval_secs=2.0)
    assert sent(link) == [("", heartbeat)]


def test_it_tries_again_ever_more_seldom() -> None:
    link, now, waits = a_link(), 0.0, []
    for _ in range(12):
        link.opened(now)
        now += PATIENCE
        link.tick(now)
        assert link.state is LinkState.RECONNECTING
        assert link.wants_socket is not None
        waits.append(round(link.wants_socket - now, 6))
        now = link.wants_socket
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0, 30.0]


def test_a_connection_that_held_begins_the_waits_anew() -> None:
    link, now = a_link(), 0.0
    for _ in range(5):
        link.opened(now)
        link.closed(now)
    link.opened(now)
    link.receive(from_hub(WELCOME), now)
    link.closed(now + 60.0)
    assert link.wants_socket == pytest.approx(now + 60.1)


def test_nothing_old_goes_through_a_fresh_socket() -> None:
    link = connected()
    link.tell(m.Goodbye(reason="old"), "big", now=0.0)
    link.closed(1.0)
    assert sent(link) == []
    link.opened(2.0)
    assert sent(link) == [("", ME)]
    assert link.receive(from_peer("big", SPAWNED), 2.1) == []


def test_a_hub_that_was_started_anew_is_greeted_again_once() -> None:
    link = connected()
    link.ask(SPAWN, "big", now=1.0, deadline=30.0)
    sent(link)
    greet = from_hub(m.Goodbye(code="greet"))
    assert link.receive(greet, 2.0) == link.receive(greet, 2.0) == []
    assert sent(link) == [("", ME)]
    link.receive(from_hub(WELCOME.model_copy(update={"instance_id": "j"})), 2.1)
    assert sent(link) == [("big", SPAWN)]
    assert link.statistics.reconnections == 1


@pytest.mark.parametrize("code", ["twin", "impostor", "version", "unauthorized"])
def test_what_is_refused_for_good_fails(code: str) -> None:
    link = a_link()
    link.opened(0.0)
    link.receive(from_hub(m.Problem(code=code, error="no: you are not big")), 0.1)
    assert (link.state, link.failure, link.wants_socket) == (LinkState.FAILED, "no: you are not big", None)
    link.opened(1.0)
    assert (link.state, link.frames_to_send(), link.due()) == (LinkState.FAILED, [], None)


def test_a_twin_that_is_older_fails_and_a_revoked_one() -> None:
    link = connected()
    link.receive(from_hub(m.Goodbye(code="twin", reason="a younger big is here")), 0.1)
    assert (link.state, link.failure) == (LinkState.FAILED, "a younger big is here")
    link = connected()
    link.receive(from_hub(m.Problem(code="unauthorized", error="big was revoked")), 0.1)
    assert link.state is LinkState.FAILED


def test_a_hub_that_leaves_is_tried_again() -> None:
    link = connected()
    link.receive(from_hub(m.Goodbye(reason="it is stopped")), 20.0)
    assert (link.state, link.wants_socket) == (LinkState.RECONNECTING, 20.1)


def test_another_major_version_is_refused_by_name() -> None:
    link = a_link()
    link.opened(0.0)
    link.receive(from_hub(WELCOME.model_copy(update={"protocol_version": "2.0.0"})), 0.1)
    assert (link.state, link.failure) == (LinkState.FAILED, "the hub speaks protocol 2.0.0, and this is 1.0.0")


def test_who_is_not_there_now_is_waited_for_and_who_is_never_there_is_not() -> None:
    link = connected()
    link.ask(SPAWN, "big", now=0.0, deadline=30.0)
    away = m.Problem(code="unavailable", error="big is lost", to="big")
    assert link.receive(from_hub(away), 0.1) == [Received("", away)]
    unknown = m.Problem(code="not_found", error="there is no big", to="big")
    answer = unknown.model_copy(update={"request_id": "r1"})
    assert link.receive(from_hub(unknown), 0.2) == [Received("", answer)]
    assert link.receive(from_peer("big", SPAWNED), 0.3) == []


def test_a_problem_may_answer_one_request() -> None:
    link = connected()
    link.ask(SPAWN, "big", now=0.0, deadline=30.0)
    problem = m.Problem(code="protocol_error", error="no", request_id="r1")
    assert link.receive(from_peer("small", problem), 0.1) == []
    assert link.receive(from_peer("big", problem), 0.1) == [Received("big", problem)]


@pytest.mark.parametrize("message", [WELCOME, m.PeerUpdate(peer=a_peer()), m.Goodbye(code="twin"), m.Heartbeat(), ME])
def test_no_peer_speaks_for_the_hub(message: m.Message) -> None:
    link = connected()
    assert link.receive(from_peer("big", message), 0.1) == []
    assert (link.state, link.peers, link.statistics.dropped) == (LinkState.CONNECTED, {}, 1)


def test_what_others_ask_and_tell_is_handed_on() -> None:
    link = connected()
    for message in (SPAWN, m.Output(agent_id="a", offset=0, data=b"x"), m.Credit(agent_id="a", offset=0, until=9)):
        assert link.receive(from_peer("laptop/2", message), 0.1) == [Received("laptop/2", message)]


def test_it_says_goodbye_at_the_end() -> None:
    link = connected()
    link.leave(1.0, "it was asked to")
    assert sent(link) == [("", m.Goodbye(reason="it was asked to"))]
    assert (link.state, link.wants_socket, link.due()) == (LinkState.DISCONNECTED, None, None)


def test_it_counts() -> None:
    link = connected()
    counted = link.statistics
    assert (counted.messages_sent, counted.messages_received) == (2, 1)
    assert counted.bytes_received == len(encode(WELCOME))
    assert counted.bytes_sent > len(encode(ME))


def test_each_request_has_an_answer_of_its_kind() -> None:
    kinds = set(get_args(get_args(m.AnyMessage)[0]))
    requests = {one for one in kinds if issubclass(one, m.Request) and one not in get_args(Answer)}
    assert set(ANSWER_TO) == requests
    assert {*ANSWER_TO.values(), m.Problem} == set(get_args(Answer))
