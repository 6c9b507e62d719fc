"""A supervisor that is asked to end goes as soon as nobody loses by it, and says why when it does not."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from descartes_core.ids import new_id
from descartes_local.processes import Process, is_alive, process_of
from tests.orchestrator.supervised import Speaking, Supervised
from tests.support.leftovers import doors_of
from tests.support.waiting import process_gone, wait_until

AGENT = "7f0c2d1e-0000-4000-8000-000000000000"
WAIT = "import sys; sys.stdin.read()"


def spawn(shop: Speaking) -> Process:
    pid, started = shop.say("spawn", AGENT, "-c", f"exec({WAIT!r})").split()
    return Process(int(pid), int(started))


def ask_to_end(supervised: Supervised, number: int = signal.SIGTERM) -> int:
    pid = int(supervised.call("ping")["pid"])
    os.kill(pid, number)
    return pid


def stays(supervised: Supervised) -> str:
    return str(wait_until(lambda: supervised.call("status")["stays"], "it says why it stays"))


def orphaned(supervised: Supervised) -> tuple[Speaking, Process]:
    """Return a session without a daemon, whose agent nobody has but the supervisor."""
    shop = supervised.session()
    agent = spawn(shop)
    shop.say("leave", "STOPPING=1")
    wait_until(lambda: supervised.entry(shop.id)["status"] == "Inactive", "the daemon has ended")
    return shop, agent


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_ends_and_the_daemon_goes_on_with_its_agents_and_its_doors(supervised: Supervised, number: int) -> None:
    shop = supervised.session()
    agent = spawn(shop)
    process_gone(ask_to_end(supervised, number))
    assert is_alive(agent)
    assert doors_of(supervised.home) == sorted(
        [supervised.home.daemon_socket(shop.id).name, supervised.home.notify_socket(shop.id).name]
    )
    shop.end_alone()


def test_with_nothing_to_hold_it_ends_at_once(supervised: Supervised) -> None:
    process_gone(ask_to_end(supervised))
    assert doors_of(supervised.home) == []


def test_what_nobody_else_has_it_does_not_leave_and_says_so(supervised: Supervised) -> None:
    shop, agent = orphaned(supervised)
    pid = ask_to_end(supervised)
    assert stays(supervised) == "no daemon has the agents of shop: start or stop what is named"
    assert is_alive(agent)
    shop.start()
    assert f"agent-{AGENT}-in" in shop.say("names")
    process_gone(pid)
    assert is_alive(agent)
    log = (supervised.home.log / "supervisor.log").read_text()
    assert "asked to end, and stays: no daemon has the agents of shop" in log
    shop.end_alone()


def test_the_agents_of_a_session_that_was_given_up_keep_it_until_they_are_stopped(supervised: Supervised) -> None:
    supervised.configure(stable=3600.0, early_deaths=1)
    shop = supervised.session()
    agent = spawn(shop)
    shop.kill()
    wait_until(lambda: supervised.entry(shop.id)["status"] == "Error", "it is given up")
    pid = ask_to_end(supervised)
    stays(supervised)
    shop.stop()
    process_gone(pid)
    assert process_of(agent.pid) is None


def test_a_daemon_that_dies_just_then_is_followed_by_the_next_before_it_goes(supervised: Supervised) -> None:
    shop = supervised.session()
    agent = spawn(shop)
    before = int(shop.say("pid"))
    pid = ask_to_end(supervised)
    os.kill(before, signal.SIGKILL)
    process_gone(pid)
    shop.where["pid"] = int(shop.say("pid"))
    assert shop.where["pid"] != before
    assert f"agent-{AGENT}-in" in shop.say("names")
    assert is_alive(agent)
    shop.end_alone()


def test_a_daemon_that_is_asked_as_well_leaves_its_agents_and_it_stays_for_them(supervised: Supervised) -> None:
    """As when everything is shut down: what lives on is nobody's but its."""
    shop = supervised.session()
    agent = spawn(shop)
    pid = ask_to_end(supervised)
    os.kill(shop.where["pid"], signal.SIGTERM)
    stays(supervised)
    assert is_alive(agent)
    shop.stop()
    process_gone(pid)


def test_a_word_to_hang_up_that_comes_along_is_no_second_one(supervised: Supervised) -> None:
    shop, agent = orphaned(supervised)
    pid = ask_to_end(supervised)
    for _ in range(2):
        os.kill(pid, signal.SIGHUP)
    stays(supervised)
    assert is_alive(agent)
    shop.stop()
    process_gone(pid)


def test_who_insists_gets_it_and_what_is_lost_is_named(supervised: Supervised) -> None:
    _, agent = orphaned(supervised)
    pid = ask_to_end(supervised)
    stays(supervised)
    os.kill(pid, signal.SIGTERM)
    process_gone(pid)
    process_gone(agent.pid)  # its input has ended
    assert "what is lost: no daemon has the agents of shop" in (supervised.home.log / "supervisor.log").read_text()


def test_a_start_that_is_under_way_is_answered_first(supervised: Supervised) -> None:
    supervised.configure(ready_deadline=2.0)
    shop, mute = supervised.session(), Speaking(supervised, new_id(), "mute")
    with ThreadPoolExecutor(1) as pool:
        start = pool.submit(mute.start)
        wait_until(lambda: supervised.entry(mute.id).get("pid"), "it begins")
        pid = ask_to_end(supervised)
        failed = start.exception()
    assert "not ready within 2 s" in str(failed)
    process_gone(pid)
    shop.end_alone()


def test_a_daemon_that_is_stopped_has_ended_before_it_goes(supervised: Supervised) -> None:
    shop, deaf = supervised.session(), supervised.session("deaf")
    with ThreadPoolExecutor(1) as pool:
        stop = pool.submit(deaf.stop, 2.0)
        wait_until(lambda: supervised.entry(deaf.id)["status"] == "Stopping", "it is asked")
        pid = ask_to_end(supervised)
        assert stop.exception() is None
    process_gone(pid)
    assert process_of(deaf.where["pid"]) is None
    shop.end_alone()


def test_a_start_that_comes_while_the_daemon_is_ending_is_answered_with_the_next(supervised: Supervised) -> None:
    """It said so, and serves until it has ended: nobody is sent there any more."""
    shop = supervised.session()
    before = shop.where["pid"]
    shop.say("tell", "STOPPING=1")
    with ThreadPoolExecutor(1) as pool:
        start = pool.submit(shop.start)
        wait_until(lambda: supervised.call("list"), "it has been asked")
        assert not start.done()
        os.kill(before, signal.SIGKILL)
        assert start.result()["pid"] != before
