"""Who is there, told from connections and the time alone."""

from __future__ import annotations

import pytest

from descartes_core.bus.messages import Heartbeat, Hello, Role
from descartes_core.errors import Ambiguous, NotFound, Unavailable
from descartes_orchestrator.hub.enrolment import Enrolled
from descartes_orchestrator.hub.roll import FORGOTTEN_AFTER, MOST_NAMELESS, Connection, Present, Roll

HOME = Enrolled("home", "daemon", "h" * 40)
BIG = Enrolled("big", "runner", "b" * 40, ("gpu",))
CI = Enrolled("ci", "client", "c" * 40)


def hello(role: Role, name: str, **more: object) -> Hello:
    return Hello(protocol_version="1.0.0", role=role, name=name, generation=1, **more)  # type: ignore[arg-type]


@pytest.fixture
def roll() -> Roll:
    return Roll(2.0, 3, "mark", most_agents=100)


def came(roll: Roll, who: Enrolled, said: Hello, route: bytes = b"r", now: float = 0.0) -> tuple[Connection, Present]:
    connection = roll.connect(route, who, now)
    return connection, roll.greet(connection, said, now, 1000.0 + now)


def test_three_missed_heartbeats_are_too_many(roll: Roll) -> None:
    connection, present = came(roll, BIG, hello("runner", "big"))
    assert roll.due() == 7.0
    assert roll.silent(6.9) == []
    assert roll.silent(7.0) == [present]
    connection.heard = 5.0
    assert roll.silent(7.0) == []


def test_who_beats_less_often_is_waited_for_longer(roll: Roll) -> None:
    _, present = came(roll, HOME, hello("daemon", "home/1"))
    roll.beat(present, Heartbeat(interval_secs=20.0), 0.0)
    assert roll.silent(60.0) == []
    roll.beat(present, Heartbeat(), 2.0)
    assert roll.silent(60.0) == [present]


def test_the_time_in_which_we_stood_still_counts_for_nobody(roll: Roll) -> None:
    came(roll, BIG, hello("runner", "big"))
    roll.forgive(100.0)
    assert roll.silent(106.0) == []


def test_only_news_is_news(roll: Roll) -> None:
    _, present = came(roll, BIG, hello("runner", "big"))
    told = [
        roll.beat(present, Heartbeat(**beat), 2.0 * now)  # type: ignore[arg-type]
        for now, beat in enumerate(
            ({"agents": 1}, {"agents": 1, "load": 0.1}, {"agents": 1, "load": 0.4}, {"is_draining": True})
        )
    ]
    assert told == [True, False, True, True]


def test_figures_are_told_on_so_often_and_none_is_lost(roll: Roll) -> None:
    _, present = came(roll, BIG, hello("runner", "big"))
    told = [roll.beat(present, Heartbeat(agents=number), number / 100) for number in range(1, 11)]
    assert told == [True, *[False] * 9]
    assert roll.beat(present, Heartbeat(agents=10), 2.0)


def test_a_runner_that_does_not_say_takes_so_many(roll: Roll) -> None:
    _, present = came(roll, BIG, hello("runner", "big", labels=("fast", "gpu")))
    told = roll.told(present, 1.0, 1001.0)
    assert (told.capacity, told.labels) == (100, ("gpu", "fast"))
    assert told.last_heard == "1970-01-01T00:16:40.000000Z"


def test_who_says_hello_again_is_as_it_was(roll: Roll) -> None:
    connection, present = came(roll, BIG, hello("runner", "big"))
    roll.beat(present, Heartbeat(agents=7), 0.0)
    assert roll.greet(connection, hello("runner", "big"), 1.0, 1001.0) is present


def test_a_name_leads_to_the_last_who_greeted_by_it(roll: Roll) -> None:
    first, _ = came(roll, BIG, hello("runner", "big"), b"1")
    second, _ = came(roll, BIG, hello("runner", "big"), b"2")
    assert roll.by_address[b"big"] is second
    assert list(roll.by_route.values()) == [second]
    roll.disconnect(first)
    assert roll.by_address[b"big"] is second


def test_clients_have_an_address_each(roll: Roll) -> None:
    addresses = {roll.connect(route, CI, 0.0).address for route in (b"1", b"2")}
    assert addresses == {b"ci#mark1", b"ci#mark2"}


def test_clients_that_never_left_make_room(roll: Roll) -> None:
    for number in range(MOST_NAMELESS + 10):
        roll.connect(b"%d" % number, CI, float(number))
    assert len(roll.by_route) < MOST_NAMELESS
    assert len(roll.by_address) == len(roll.by_route)
    assert b"%d" % (MOST_NAMELESS + 9) in roll.by_route


def test_daemons_are_meant_by_name_or_by_title_where_that_is_one(roll: Roll) -> None:
    first, _ = came(roll, HOME, hello("daemon", "home/1", title="shop"), b"1")
    second, _ = came(roll, HOME, hello("daemon", "home/2", title="mill"), b"2")
    assert roll.find("shop", [HOME], by_title=True) is first
    assert roll.find("home/mill", [HOME], by_title=True) is second
    came(roll, HOME, hello("daemon", "home/3", title="shop"), b"3")
    with pytest.raises(Ambiguous, match="home/1, home/3"):
        roll.find("shop", [HOME], by_title=True)


def test_no_title_stands_for_anybodys_name(roll: Roll) -> None:
    home = Enrolled("far", "daemon", "f" * 40)
    for number, title in enumerate(("big", "home/1", "home")):
        came(roll, home, hello("daemon", f"far/{number}", title=title), b"%d" % number)
    for to in ("big", "home/1", "home"):
        with pytest.raises(Unavailable):
            roll.find(to, [HOME, BIG, home], by_title=True)
    assert roll.find("far/home", [HOME, BIG, home], by_title=True).address == b"far/2"
    with pytest.raises(NotFound):
        roll.find("shop", [home], by_title=False)


@pytest.mark.parametrize(
    ("to", "error"), [("big", Unavailable), ("home/9", Unavailable), ("nobody", NotFound), ("far/9", NotFound)]
)
def test_who_may_come_is_told_from_who_never_will(roll: Roll, to: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        roll.find(to, [HOME, BIG], by_title=True)


def test_the_sessions_of_a_home_are_counted(roll: Roll) -> None:
    for number in range(3):
        came(roll, HOME, hello("daemon", f"home/{number}"), b"%d" % number)
    came(roll, BIG, hello("runner", "big"), b"big")
    roll.end(roll.by_name["home/0"], "lost", 0.0)
    assert roll.sessions(HOME) == 3


def test_a_lost_daemon_is_forgotten_and_a_runner_is_not(roll: Roll) -> None:
    _, daemon = came(roll, HOME, hello("daemon", "home/1"), b"1")
    _, runner = came(roll, BIG, hello("runner", "big"), b"2")
    for present in (daemon, runner):
        roll.end(present, "lost", 1000.0)
    assert roll.forgotten(1000.0 + FORGOTTEN_AFTER) == [daemon]
    assert roll.due() is None
    with pytest.raises(Unavailable):
        roll.find("big", [], by_title=True)
