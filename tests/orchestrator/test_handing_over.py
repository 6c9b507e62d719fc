"""A daemon that outlived its supervisor is taken over by the next, if it is the one, and whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from descartes_core.errors import Forbidden
from descartes_core.ids import new_id
from descartes_local.processes import process_of
from descartes_local.rpc_client import Connection
from descartes_orchestrator.supervisor.door import MOST
from tests.orchestrator.supervised import Speaking, Supervised
from tests.support.waiting import process_gone, wait_until

DOORS = ("http", "ws", "rpc")
SURVIVOR = str(Path(__file__).parent / "programs" / "survivor.py")


class Survivors:
    """Starts them, and ends those that are left."""

    def __init__(self, supervised: Supervised) -> None:
        self.supervised = supervised
        self.started: list[subprocess.Popen[str]] = []

    def start(self, session: str, *what: str) -> tuple[int, str]:
        """Return its pid, and what came of its hand-over."""
        words = [sys.executable, SURVIVOR, str(self.supervised.home.path), session, *what]
        one = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.started.append(one)
        assert one.stdout is not None
        return one.pid, one.stdout.readline().strip()

    def ask(self, word: str = "ping") -> str:
        """Let the last one ask the supervisor for its pid, or do what else it is told, by the line it has had."""
        one = self.started[-1]
        assert one.stdin is not None
        assert one.stdout is not None
        one.stdin.write(f"{word}\n")
        one.stdin.flush()
        return one.stdout.readline().strip()

    def close(self) -> None:
        for one in self.started:
            with one:
                one.kill()


@pytest.fixture
def survivors(supervised: Supervised) -> Iterator[Survivors]:
    supervised.call("ping")
    found = Survivors(supervised)
    yield found
    found.close()


def killed(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    process_gone(pid)


def stopped(supervised: Supervised, session: str) -> None:
    supervised.call("stop", {"id": session, "grace": 1.0})


def test_it_is_served_and_the_next_daemon_has_its_doors_and_what_it_gave(
    supervised: Supervised, survivors: Survivors
) -> None:
    shop = Speaking(supervised, new_id())
    pid, told = survivors.start(shop.id, *DOORS, "letter")
    assert told == "handed over"
    entry = supervised.entry(shop.id)
    assert (entry["status"], entry["pid"], entry["restarts"]) == ("Active", pid, 0)
    where = shop.start()
    assert where["pid"] == pid
    killed(pid)
    assert shop.say("names") == "http:ws:rpc:letter"
    entry = supervised.entry(shop.id)
    assert (entry["status"], entry["restarts"], entry["pid"] != pid) == ("Active", 1, True)
    assert shop.start()["http_endpoint"] == where["http_endpoint"]
    stopped(supervised, shop.id)


def test_its_line_is_not_the_one_that_makes_room_for_others(supervised: Supervised, survivors: Survivors) -> None:
    """It has been idle for longest when the thousandth connection comes; the end of it would mean our death."""
    session = new_id()
    survivors.start(session, *DOORS)
    with ExitStack() as crowd:
        for _ in range(MOST + 10):
            crowd.enter_context(Connection(supervised.home.supervisor_socket)).call("ping")
        assert survivors.ask() == str(supervised.call("ping")["pid"])
    stopped(supervised, session)


def test_one_that_stands_still_is_forgotten_and_may_begin_anew(supervised: Supervised, survivors: Survivors) -> None:
    """It was Active without doors for ever; killed, it would take along what it has not given."""
    before = supervised.call("ping")["pid"]
    supervised.call("shutdown")
    process_gone(before)
    supervised.configure(ready_deadline=0.5)
    supervised.call("ping")
    session = new_id()
    pid, told = survivors.start(session, "still", *DOORS)
    assert (told, supervised.entry(session)["status"]) == ("begun", "Active")
    wait_until(lambda: supervised.entry(session) == {}, "it is forgotten")
    assert process_of(pid) is not None
    assert supervised.home.daemon_socket(session).is_socket()
    assert survivors.ask() == "No such file or directory", "nobody hears it"
    assert survivors.ask("again") == "handed over"
    assert supervised.entry(session)["pid"] == pid
    stopped(supervised, session)


def test_it_is_stopped_like_any_other(supervised: Supervised, survivors: Survivors) -> None:
    session = new_id()
    pid, _ = survivors.start(session, *DOORS)
    stopped(supervised, session)
    process_gone(pid)
    assert supervised.entry(session) == {}


def test_one_without_its_doors_is_refused_and_its_next_has_new_ones(
    supervised: Supervised, survivors: Survivors
) -> None:
    shop = Speaking(supervised, new_id())
    pid, told = survivors.start(shop.id, "http", "ws", "letter")
    assert told == "its listening sockets have not come: http, ws and rpc"
    killed(pid)
    wait_until(lambda: supervised.entry(shop.id).get("pid") not in (pid, None), "the next daemon")
    shop.start()
    assert shop.say("names") == "http:ws:rpc:letter"
    stopped(supervised, shop.id)


@pytest.mark.parametrize("door", ["http=rpc", "http=line", "rpc=ws"])
def test_what_is_no_door_is_not_taken_for_one_and_harms_nobody_else(
    supervised: Supervised, survivors: Survivors, door: str
) -> None:
    session = new_id()
    _, told = survivors.start(session, *(door if door.startswith(name) else name for name in DOORS))
    assert told == "its listening sockets have not come: http, ws and rpc"
    supervised.session().stop()
    stopped(supervised, session)


def test_one_that_dies_before_it_has_given_anything_is_followed_by_a_new_one(
    supervised: Supervised, survivors: Survivors
) -> None:
    shop = Speaking(supervised, new_id())
    pid, _ = survivors.start(shop.id)
    killed(pid)
    shop.start()
    assert shop.say("names") == "http:ws:rpc"
    stopped(supervised, shop.id)


def test_two_daemons_of_one_session_are_not_both_taken(supervised: Supervised, survivors: Survivors) -> None:
    shop = supervised.session()
    shop.supervised.home.daemon_socket(shop.id).rename(shop.supervised.home.run / "aside")
    _, told = survivors.start(shop.id, *DOORS)
    assert told == f"session {shop.id} is Active here already"
    (shop.supervised.home.run / "aside").rename(shop.supervised.home.daemon_socket(shop.id))
    shop.stop()


def test_nobody_hands_over_somebody_else(supervised: Supervised) -> None:
    me = process_of(os.getppid())
    assert me is not None
    facts = {"id": new_id(), "name": "shop", "path": "/", "ports": None, "env": {}}
    for started in (me.started, me.started + 1):
        with pytest.raises(Forbidden, match="must say so itself"):
            supervised.call("hand_over", {**facts, "pid": me.pid, "started": started})
    assert supervised.call("serving", {"id": facts["id"]}) == {"known": False}
    with pytest.raises(Forbidden):
        supervised.call("handed_over", {"id": facts["id"]})
    assert supervised.call("list") == {"sessions": [], "services": []}
