"""A dead daemon is started again with all that was its; and given up when that does not help."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from descartes_core.errors import DaemonStartFailed, Unavailable
from descartes_core.ids import new_id
from descartes_core.jsonrpc import request as rpc
from descartes_core.session_life import State
from descartes_core.session_record import DaemonInfo, SessionRecord
from descartes_local import session_file
from descartes_local.locks import lock_directory
from descartes_local.processes import process_of
from tests.orchestrator.supervised import Speaking, Supervised
from tests.support.leftovers import doors_of
from tests.support.moments import Moments
from tests.support.person import Person
from tests.support.traced import kept_from_going
from tests.support.waiting import process_gone, wait_until

#: Every death counts as an early one, and the pauses are short.
HASTY = {"stable": 3600.0, "first_pause": 0.01, "longest_pause": 0.05, "early_deaths": 3}


def test_a_killed_daemon_comes_back_at_the_same_doors(supervised: Supervised) -> None:
    shop = supervised.session()
    dead = shop.kill()
    assert int(shop.say("pid")) != dead
    again = shop.where
    shop.start()
    assert {**shop.where, "pid": 0} == {**again, "pid": 0}
    assert supervised.entry(shop.id)["restarts"] == 1


def test_who_connects_while_it_is_dead_is_answered_by_the_next(supervised: Supervised) -> None:
    supervised.configure(**{**HASTY, "first_pause": 0.5, "longest_pause": 0.5})
    shop = supervised.session()
    shop.kill()
    with socket.create_connection(("127.0.0.1", shop.port), timeout=10) as early:
        assert supervised.entry(shop.id)["status"] == "Starting"
        early.sendall(b"names\n")
        assert early.recv(100) == b"http:ws:rpc"


def test_a_start_asked_between_two_lives_waits_for_the_next(supervised: Supervised) -> None:
    supervised.configure(**{**HASTY, "first_pause": 0.3})
    shop = supervised.session()
    dead = shop.kill()
    wait_until(lambda: supervised.entry(shop.id)["status"] == "Starting", "the death is seen")
    assert shop.start()["pid"] != dead


def test_one_that_dies_again_and_again_is_given_up(supervised: Supervised) -> None:
    supervised.configure(**HASTY)
    shop = supervised.session()
    for _ in range(3):
        wait_until(lambda: supervised.entry(shop.id)["status"] == "Active", "it is back")
        shop.kill()
    wait_until(lambda: supervised.entry(shop.id)["status"] == "Error", "it is given up")
    assert "ended with signal SIGKILL" in supervised.entry(shop.id)["error"]
    assert "3 times in a row" in supervised.entry(shop.id)["error"]
    wait_until(lambda: doors_of(supervised.home) == ["supervisor.json", "supervisor.sock"], "its doors are closed")


def test_one_that_dies_as_soon_as_it_is_ready_is_given_up(supervised: Supervised) -> None:
    supervised.configure(**HASTY)
    shop = Speaking(supervised, new_id(), "brief")
    # Ready it was, for an instant: which of the two the caller hears is chance.
    with ThreadPoolExecutor(1) as pool:
        heard = pool.submit(shop.start).exception()
    assert heard is None or isinstance(heard, DaemonStartFailed)
    wait_until(lambda: supervised.entry(shop.id)["status"] == "Error", "it is given up")
    assert supervised.entry(shop.id)["restarts"] == 2


def test_one_that_ends_on_purpose_is_not_started_again(supervised: Supervised) -> None:
    shop = supervised.session()
    shop.say("exit", 0)
    wait_until(lambda: not supervised.entry(shop.id), "its session is inactive and forgotten")
    assert doors_of(supervised.home) == ["supervisor.json", "supervisor.sock"]


def test_one_that_said_it_ends_is_not_started_again_whatever_its_exit_code(supervised: Supervised) -> None:
    shop = supervised.session()
    shop.say("leave", "STOPPING=1")
    wait_until(lambda: not supervised.entry(shop.id), "its session is inactive and forgotten")


def test_none_is_started_beside_one_that_was_killed_and_is_not_gone(supervised: Supervised) -> None:
    supervised.configure(ready_deadline=0.5)
    shop = Speaking(supervised, new_id(), "mute")
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(shop.start)
        pid = wait_until(lambda: supervised.entry(shop.id).get("pid"), "it begins")
        with kept_from_going(pid):
            wait_until(lambda: supervised.entry(shop.id)["status"] == "Error", "it is killed")
            with supervised.connect() as line:
                request = {"id": shop.id, "name": "shop", "path": str(supervised.home.path)}
                line.socket.sendall(b"".join((rpc("start", request, 8), rpc("list", {}, 9))))
                (entry,) = json.loads(line.socket.makefile().readline())["result"]["sessions"]
                assert (entry["pid"], entry["status"]) == (pid, "Error")
        with pytest.raises(DaemonStartFailed, match=r"not ready within 0\.5 s"):
            first.result()
    shop.manner = ""
    assert shop.start()["pid"] != pid
    shop.stop()


def test_nobody_is_sent_to_one_that_was_killed_and_stays(supervised: Supervised) -> None:
    supervised.configure(hang_deadline=0.2)
    shop = supervised.session()
    pid = int(shop.say("pid"))

    def refused() -> str:
        try:
            return str(shop.start()["pid"] and "")
        except Unavailable as error:
            return error.message

    with kept_from_going(pid):
        os.kill(pid, signal.SIGSTOP)
        assert supervised.call("suspect", {"id": shop.id})["verdict"] == "killed"
        assert wait_until(refused, "it is given up", 20.0) == f"the daemon of shop, pid {pid}, was killed and stays"
    wait_until(lambda: supervised.entry(shop.id)["pid"] not in (pid, None), "it went, and the next one came")
    shop.start()
    shop.stop()


def test_a_fault_in_the_supervisor_leaves_no_session_starting(supervised: Supervised) -> None:
    shop = Speaking(supervised, new_id())
    with pytest.raises(DaemonStartFailed, match="the daemon of faulty cannot be started: a fault in the supervisor"):
        shop.start(name="faulty")
    assert supervised.entry(shop.id)["status"] == "Error"
    shop.stop()
    assert shop.start()["pid"] == int(shop.say("pid"))


def test_stopping_between_two_lives_starts_none(supervised: Supervised) -> None:
    supervised.configure(**{**HASTY, "first_pause": 30.0, "longest_pause": 30.0})
    shop = supervised.session()
    shop.kill()
    wait_until(lambda: supervised.entry(shop.id)["pid"] is None, "the death is seen")
    shop.stop()
    assert doors_of(supervised.home) == ["supervisor.json", "supervisor.sock"]


def test_the_log_of_an_earlier_life_is_not_shown(supervised: Supervised) -> None:
    shop = Speaking(supervised, new_id(), "fail")
    for _ in range(2):
        with pytest.raises(DaemonStartFailed) as refused:
            shop.start()
    assert len(refused.value.message.splitlines()) == 6
    assert len((supervised.home.session(shop.id) / "daemon.log").read_text().splitlines()) == 16


def test_an_error_is_written_into_session_json(supervised: Supervised, person: Person) -> None:
    workspace, shop = person.workspace(), Speaking(supervised, new_id(), "fail")
    daemon = DaemonInfo(1, "http://127.0.0.1:1", None, "then")
    record = SessionRecord(shop.id, "shop", str(workspace), "then", status=State.ACTIVE, daemon_info=daemon)
    session_file.save(workspace, record)
    with pytest.raises(DaemonStartFailed):
        shop.start(path=str(workspace))
    written = session_file.load(workspace)
    assert written is not None
    assert (written.status, written.daemon_info) == (State.ERROR, None)


def test_a_workspace_whose_disk_hangs_stops_nobody_else(supervised: Supervised, moments: Moments) -> None:
    """Its session.json is on a network disk that does not answer; all others once stood still with it."""
    shop, other = Speaking(supervised, new_id(), "fail"), Speaking(supervised, new_id())
    with moments.hold("supervisor.recording") as hangs, ThreadPoolExecutor(1) as pool:
        failed = pool.submit(shop.start)
        child = hangs.wait()
        assert child != supervised.call("ping")["pid"]
        assert supervised.call("orphans", {"session_id": shop.id}) == {"processes": []}
        other.start()
        assert isinstance(failed.exception(), DaemonStartFailed)
        process_gone(child)
    assert "session.json of" in (supervised.home.log / "supervisor.log").read_text()
    shop.manner = ""
    shop.start()
    shop.stop()
    other.stop()


def test_session_json_is_left_to_whoever_holds_the_lock(supervised: Supervised, person: Person) -> None:
    workspace, shop = person.workspace(), Speaking(supervised, new_id(), "fail")
    session_file.save(workspace, SessionRecord(shop.id, "shop", str(workspace), "then", status=State.ACTIVE))
    lock = lock_directory(workspace / ".scud")
    assert lock is not None
    with pytest.raises(DaemonStartFailed):
        shop.start(path=str(workspace))
    os.close(lock)
    written = session_file.load(workspace)
    assert written is not None
    assert written.status is State.ACTIVE


def test_a_death_costs_no_more_than_a_start(supervised: Supervised) -> None:
    supervised.configure(stable=0.0)
    shop = supervised.session()
    begun = time.monotonic()
    for _ in range(10):
        shop.kill()
    assert shop.say("names") == "http:ws:rpc"
    assert time.monotonic() - begun < 20
    assert process_of(shop.where["pid"]) is None
