"""A supervisor gives its place to the next one, in the same process, and nobody notices."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import Conflict, DaemonStartFailed, DaemonUnreachable, InvalidParams, RenewalFailed
from descartes_core.ids import new_id
from descartes_core.jsonrpc import request
from descartes_local.processes import Process, stat_of
from tests.orchestrator.supervised import Speaking, Supervised
from tests.support.moments import Moments
from tests.support.waiting import process_gone, wait_until

AGENT = "7f0c2d1e-0000-4000-8000-000000000000"
WAIT = "import sys; sys.exit(int(sys.stdin.read() or 7))"
RENEWED = "supervisor.renewed"
ABOUT = "supervisor.about_to_renew"


def renew(supervised: Supervised, interpreter: str | Path = sys.executable) -> dict[str, Any]:
    answer: dict[str, Any] = supervised.call("upgrade", {"python": str(interpreter)})
    return answer


def pid_of(supervised: Supervised) -> int:
    return int(supervised.call("ping")["pid"])


def spawn(shop: Speaking) -> Process:
    pid, started = shop.say("spawn", AGENT, "-c", f"exec({WAIT!r})").split()
    return Process(int(pid), int(started))


def open_in(pid: int) -> dict[str, str]:
    there, found = Path(f"/proc/{pid}/fd"), {}
    for name in os.listdir(there):
        with contextlib.suppress(FileNotFoundError):  # it is just being closed
            found[name] = os.readlink(there / name)
    return found


def test_all_that_was_held_is_held_by_the_next(supervised: Supervised) -> None:
    shop = supervised.session()
    shop.say("keep", "letter", "from before")
    pid, daemon = pid_of(supervised), shop.where["pid"]
    told = renew(supervised)
    assert (told["pid"], told["sessions"], told["kept"]) == (pid, 1, 0)
    assert pid_of(supervised) == pid
    assert shop.say("pid") == str(daemon)
    shop.kill()
    assert shop.say("names") == "http:ws:rpc:letter:letter-end"
    assert shop.say("recall", "letter") == "from before"
    assert supervised.entry(shop.id)["restarts"] == 1


def test_a_daemon_goes_on_giving_and_taking_back(supervised: Supervised) -> None:
    shop = supervised.session()
    shop.say("keep", "old", "x")
    renew(supervised)
    assert shop.say("keep", "letter", "from after") == "kept"
    shop.say("forget", "old", "old-end")
    shop.kill()
    assert shop.say("names") == "http:ws:rpc:letter:letter-end"


@pytest.mark.parametrize("times", [4, pytest.param(20, marks=pytest.mark.soak)])
def test_many_renewals_leave_the_same_descriptors(supervised: Supervised, times: int) -> None:
    shop = supervised.session()
    shop.say("keep", "letter", "from before")
    spawn(shop)
    with supervised.connect() as line:
        pid = line.call("ping")["pid"]
        line.call("upgrade", {"python": sys.executable})
        before = open_in(pid)
        for _ in range(times):
            line.call("upgrade", {"python": sys.executable})
        after = open_in(pid)
        assert line.call("status")["renewals"] == times + 1
    assert len(after) == len(before), (before, after)
    assert {what for what in after.values() if "memfd" in what} == set()


def test_thousands_of_descriptors_go_along(supervised: Supervised) -> None:
    shop = supervised.session()
    assert shop.say("keep_many", 1200) == "kept"
    renew(supervised)
    shop.kill()
    assert shop.say("count") == "1203"


def test_hundreds_of_connections_go_along(supervised: Supervised) -> None:
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(supervised.connect()) for _ in range(200)]
        renew(supervised)
        assert {line.call("ping")["pid"] for line in lines} == {pid_of(supervised)}


def test_a_connection_goes_on_in_the_middle_of_a_request(supervised: Supervised) -> None:
    with supervised.connect() as line:
        words = request("ping", {}, 77)
        line.socket.sendall(words[:10])
        wait_until(lambda: supervised.call("ping"), "the half has been read")
        renew(supervised)
        line.socket.sendall(words[10:])
        assert b'"id": 77' in line.socket.recv(65_536).replace(b'"id":77', b'"id": 77')


def test_answers_that_nobody_has_read_yet_are_not_lost(supervised: Supervised) -> None:
    count = 10_000
    with supervised.connect() as line:
        for number in range(count):
            line.socket.sendall(request("ping", {}, number))
        renew(supervised)
        answers, received = 0, b""
        while answers < count:
            received = line.socket.recv(1024 * 1024)
            assert received, f"{answers} of {count} answers"
            answers += received.count(b"\n")


def test_a_session_that_was_given_up_stays_so_with_its_cause(supervised: Supervised) -> None:
    shop = Speaking(supervised, new_id(), "fail")
    with pytest.raises(DaemonStartFailed):
        shop.start()
    before = supervised.entry(shop.id)
    renew(supervised)
    assert supervised.entry(shop.id) == before


def test_deaths_are_counted_on(supervised: Supervised) -> None:
    supervised.configure(deaths=3, window=600)
    shop = supervised.session()
    shop.kill()
    shop.say("pid")
    renew(supervised)
    shop.kill()
    shop.say("pid")
    os.kill(int(shop.say("pid")), signal.SIGKILL)
    wait_until(lambda: supervised.entry(shop.id)["status"] == "Error", "it is given up")


def test_two_at_once_are_one_renewal(supervised: Supervised) -> None:
    supervised.session()
    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(lambda _: renew(supervised), range(2)))
    assert told[0] == told[1]
    assert supervised.call("status")["renewals"] == 1


@pytest.fixture
def bad_python(supervised: Supervised) -> Callable[[str], Path]:
    """Give a maker of interpreters that are none."""

    def make(text: str) -> Path:
        script = supervised.home.path.parent / "python"
        script.write_text(f"#!/bin/sh\n{text}\n")
        script.chmod(0o700)
        return script

    return make


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("exit 1", "did not say that it is ready"),
        ("echo 'SyntaxError: invalid syntax' >&2; exit 1", "SyntaxError: invalid syntax"),
        ("kill -9 $$", "did not say that it is ready"),
        ("echo nonsense", "did not say that it is ready"),
        ("""echo '{"ready": true, "version": 3, "stamp": []}'""", "did not say that it is ready"),
        ("""echo '["ready"]'""", "did not say that it is ready"),
        (f'{sys.executable} "$@"', "another process"),
        ("yes | head -c 10000000", "did not say that it is ready"),
        ("exec sleep 600", r"not ready within 0\.5 s"),
        ("""echo '{"ready": true, "version": "9", "stamp": "9"}'; exec sleep 600""", r"not ready within 0\.5 s"),
    ],
)
def test_code_that_cannot_begin_changes_nothing(
    supervised: Supervised, bad_python: Callable[[str], Path], text: str, why: str
) -> None:
    supervised.configure(renewal_deadline=0.5 if "sleep" in text else 20)
    shop = supervised.session()
    pid = pid_of(supervised)
    before = open_in(pid)
    with pytest.raises(RenewalFailed, match=why):
        renew(supervised, bad_python(text))
    status = supervised.call("status")
    assert (status["pid"], status["renewals"]) == (pid, 0)
    assert status["renewal_failed"] is not None
    wait_until(lambda: len(open_in(pid)) <= len(before), "nothing is left open")
    shop.say("keep", "letter", "from after")
    shop.kill()
    assert shop.say("recall", "letter") == "from after"


def test_code_that_ends_when_it_really_begins_is_not_believed_twice(
    supervised: Supervised, bad_python: Callable[[str], Path]
) -> None:
    """What rehearsed well and cannot be executed a moment later leaves the old one where it was."""
    shop = supervised.session()
    script = bad_python(f'rm "$0"; exec {sys.executable} "$@"')
    with pytest.raises(RenewalFailed, match="cannot be executed"):
        renew(supervised, script)
    shop.kill()
    assert shop.say("names") == "http:ws:rpc"


def test_a_rehearsal_touches_nothing(supervised: Supervised, moments: Moments) -> None:
    shop = supervised.session()
    shop.say("keep", "letter", "x")
    before = {path.name: path.stat().st_ctime_ns for path in supervised.home.run.iterdir()}
    with ThreadPoolExecutor(1) as pool, moments.hold(ABOUT) as held:
        renewal = pool.submit(renew, supervised)
        held.wait()
        assert {path.name: path.stat().st_ctime_ns for path in supervised.home.run.iterdir()} == before
        held.release()
        renewal.result()


@pytest.mark.parametrize("interpreter", ["python3", "/nowhere/python", "/etc/passwd", "/tmp"])
def test_what_cannot_be_an_interpreter_is_refused(supervised: Supervised, interpreter: str) -> None:
    with pytest.raises(InvalidParams):
        renew(supervised, interpreter)


def test_another_python_waits_for_its_turn(supervised: Supervised, bad_python: Callable[[str], Path]) -> None:
    supervised.configure(renewal_deadline=30)
    line = supervised.home.path.parent / "line"
    os.mkfifo(line)
    script = bad_python(f"read word < {line}; exit 1")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(renew, supervised, script)
        writer = os.open(line, os.O_WRONLY)  # the rehearsal has come so far
        with pytest.raises(Conflict):
            renew(supervised)
        os.write(writer, b"go\n")
        os.close(writer)
        with pytest.raises(RenewalFailed):
            first.result()
    assert renew(supervised)["sessions"] == 0


def test_what_is_under_way_ends_first_and_what_comes_meanwhile_waits(supervised: Supervised) -> None:
    """A start takes its time, a renewal is asked for, another start comes: each is answered, in this order."""
    supervised.configure(ready_deadline=2.0)
    order: list[str] = []

    def timed(name: str, does: Callable[[], Any]) -> Any:
        try:
            return does()
        except DaemonStartFailed as error:
            return error
        finally:
            order.append(name)

    with ThreadPoolExecutor(3) as pool, supervised.connect():
        mute = Speaking(supervised, new_id(), "mute")
        slow = pool.submit(timed, "slow", mute.start)
        wait_until(lambda: supervised.entry(mute.id).get("status") == "Starting", "it is starting")
        renewal = pool.submit(timed, "renewal", lambda: renew(supervised))
        log = supervised.home.log / "supervisor.log"
        wait_until(lambda: "the next supervisor would be" in log.read_text(), "the rehearsal is over")
        shop = Speaking(supervised, new_id())
        quick = pool.submit(timed, "quick", shop.start)
        assert isinstance(slow.result(), DaemonStartFailed)
        assert renewal.result()["to"]["version"]
        assert quick.result()["pid"] == int(shop.say("pid"))
    assert order[0] == "slow"
    assert supervised.call("status")["renewals"] == 1


def test_what_is_under_way_for_too_long_is_told(supervised: Supervised) -> None:
    supervised.configure(ready_deadline=20.0, renewal_deadline=1.5)
    with ThreadPoolExecutor(1) as pool:
        mute = Speaking(supervised, new_id(), "mute")
        slow = pool.submit(mute.start)
        wait_until(lambda: supervised.entry(mute.id).get("status") == "Starting", "it is starting")
        with pytest.raises(RenewalFailed, match="shop is Starting"):
            renew(supervised)
        mute.stop(0.1)
        assert isinstance(slow.exception(), DaemonStartFailed)


def test_a_daemon_that_dies_during_the_renewal_is_started_again(supervised: Supervised, moments: Moments) -> None:
    shop = supervised.session()
    with ThreadPoolExecutor(1) as pool, moments.hold(RENEWED) as held:
        renewal = pool.submit(renew, supervised)
        held.wait()
        os.kill(shop.where["pid"], signal.SIGKILL)
        process_gone(shop.where["pid"])
        held.release()
        renewal.result()
    assert int(shop.say("pid")) != shop.where["pid"]


def test_an_agent_that_ends_during_the_renewal_keeps_its_exit_code(supervised: Supervised, moments: Moments) -> None:
    """The daemon is killed, so that the agent is the supervisor's child, and both end while nobody looks."""
    shop = supervised.session()
    agent = spawn(shop)
    with ThreadPoolExecutor(1) as pool, moments.hold(ABOUT) as held:
        renewal = pool.submit(renew, supervised)
        held.wait()
        os.kill(shop.where["pid"], signal.SIGKILL)
        process_gone(shop.where["pid"])
        os.kill(agent.pid, signal.SIGTERM)
        process_gone(agent.pid)
        held.release()
        renewal.result()
    told = supervised.call("exit_status", {"pid": agent.pid, "started": agent.started})
    assert (told["ended"], told["signal"]) == (True, "SIGTERM")
    shop.say("commit", agent.pid, agent.started)
    assert stat_of(agent.pid) is None


def test_a_word_to_end_that_comes_during_the_renewal_is_heard(supervised: Supervised, moments: Moments) -> None:
    """Between two programs nobody has a handler: a TERM would end the process, and everybody's agents with it."""
    shop = supervised.session()
    pid = pid_of(supervised)
    with ThreadPoolExecutor(1) as pool, moments.hold(RENEWED) as held:
        renewal = pool.submit(renew, supervised)
        held.wait()
        os.kill(pid, signal.SIGTERM)
        held.release()
        assert renewal.exception() is None or isinstance(renewal.exception(), DaemonUnreachable)
    process_gone(pid)
    assert "asked to end" in (supervised.home.log / "supervisor.log").read_text()
    shop.end_alone()


def test_one_that_was_asked_to_end_and_stays_is_renewed_and_still_is(supervised: Supervised) -> None:
    shop = supervised.session()
    spawn(shop)
    shop.say("leave", "STOPPING=1")
    pid = pid_of(supervised)
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: supervised.call("status")["stays"], "it stays")
    renew(supervised)
    wait_until(lambda: supervised.call("status")["stays"], "it stays, and would go")
    shop.stop()
    process_gone(pid)


def test_a_rehearsal_ends_with_the_supervisor(supervised: Supervised, bad_python: Callable[[str], Path]) -> None:
    """One that went on would hold its lock and its doors, and nobody could start the next."""
    mark = supervised.home.path.parent / "mark"
    script = bad_python(f"echo $$ > {mark}.new; mv {mark}.new {mark}; exec sleep 600")
    with ThreadPoolExecutor(1) as pool:
        renewal = pool.submit(renew, supervised, script)
        rehearsal = int(wait_until(lambda: mark.exists() and mark.read_text(), "it is rehearsed"))
        before = pid_of(supervised)
        os.kill(before, signal.SIGKILL)
        process_gone(rehearsal, 5.0)
        assert isinstance(renewal.exception(), DaemonUnreachable)
    assert pid_of(supervised) != before


@pytest.fixture
def other_code(supervised: Supervised) -> None:
    """Let other code be installed than the supervisor has loaded."""
    supervised.call("ping")
    (supervised.home.path.parent / "test-packages").mkdir()


@pytest.mark.usefixtures("other_code")
def test_newer_code_is_taken_before_a_daemon_is_started(supervised: Supervised) -> None:
    before = supervised.call("status")["stamp"]
    shop = supervised.session()
    status = supervised.call("status")
    assert (status["renewals"], shop.say("pid")) == (1, str(shop.where["pid"]))
    assert status["stamp"] != before
    supervised.session()
    assert supervised.call("status")["renewals"] == 1


@pytest.mark.usefixtures("other_code")
def test_newer_code_that_cannot_begin_hinders_no_start_and_is_tried_once(supervised: Supervised) -> None:
    configuration = supervised.home.path / "config.toml"
    configuration.write_text("[supervisor]\nready_deadline = 'never'\n")
    assert supervised.session().say("names") == "http:ws:rpc"
    status = supervised.call("status")
    assert (status["renewals"], "ready_deadline" in status["renewal_failed"]) == (0, True)
    assert supervised.session().say("names") == "http:ws:rpc"
    assert (supervised.home.log / "supervisor.log").read_text().count("is rehearsed") == 1
    configuration.unlink()
