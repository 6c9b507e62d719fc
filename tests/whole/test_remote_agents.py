"""Agents on another machine outlive every death, and what they say is here to the last byte."""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import signal
from collections.abc import Callable, Iterator

import pytest

from descartes_cli.link import Link
from descartes_local.processes import is_alive
from tests.support.lent import PATIENCE, Lent, lent
from tests.support.person import Person
from tests.support.programs import agent
from tests.support.repeating import Repeater
from tests.support.serving import family, only_run
from tests.support.typed import typed_lines
from tests.support.waiting import wait_until

#: Counts, as a program does that is never quiet for long.
COUNTER = "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.005; done"
FLOOD = "import sys\nfor n in range(320000): sys.stdout.write(f'{n:07d} ' * 8 + '\\n')"


@pytest.fixture
def both(person: Person) -> Iterator[Lent]:
    """Give a session, and a runner in a home of its own."""
    with lent(person) as both:
        yield both


def lines_of(log: bytes) -> list[int]:
    """Return the numbers of a counter's whole lines."""
    return [int(line.split()[1]) for line in log.replace(b"\r", b"").split(b"\n")[:-1]]


def test_a_machine_is_lent_by_one_command(both: Lent) -> None:
    person = both.person
    ran = person.run("spawn", both.shop, "--on", "gpu", "--wait", "--", "sh", "-c", "echo hi; exit 3", check=False)
    assert ran.code == 3
    assert "HOST" in (listed := person.run("ps", "-a").stdout)
    assert " big " in listed
    flood = both.spawn("--no-tty", "--", "python3", "-c", FLOOD)
    assert person.run("wait", flood["id"]).code == 0
    wanted = "".join(f"{n:07d} " * 8 + "\n" for n in range(320_000)).encode()
    assert hashlib.sha256(both.log(flood["id"])).hexdigest() == hashlib.sha256(wanted).hexdigest()
    echo = both.spawn("--name", "echo", "--no-tty", "--", "sh", "-c", "cat; echo bye >&2; exit 4")
    person.run("send", "echo", "--eof", "some words")
    assert person.run("wait", echo["id"], check=False).code == 4
    assert (both.log(echo["id"]), both.log(echo["id"], "errors")) == (b"some words", b"bye\n")
    refused = person.run("spawn", both.shop, "--on", "tpu", "--", "true", check=False)
    assert (refused.code, "big is neither called nor labelled tpu" in refused.stderr) == (5, True)


@pytest.mark.soak
def test_nothing_is_lost_whoever_is_killed(both: Lent) -> None:
    counter = both.spawn("--name", "counter", "--", "sh", "-c", COUNTER)["id"]
    forker = both.spawn("--name", "forker", "--grace", "0.5", "--", *agent("forker", "--deaf"))["id"]
    tree = family(both.person.home, forker)
    for kill in (both.kill_hub, both.kill_runner, both.kill_daemon):
        kill()
        now = lines_of(both.log(counter))[-1]
        both.until_said(counter, f"line {now + 300}")
        assert both.get(counter)["status"] == "running"
    both.person.run("stop", "counter", "forker")
    wait_until(lambda: not [one for one in tree.values() if is_alive(one)], "all of the tree is gone")
    lines = lines_of(both.log(counter))
    assert lines == list(range(1, len(lines) + 1))
    assert {both.get(one)["status"] for one in (counter, forker)} == {"terminated"}


@pytest.mark.soak
def test_a_lost_runner_is_told_and_ends_what_it_should_when_it_is_back(both: Lent) -> None:
    counter = both.spawn("--name", "counter", "--", "sh", "-c", COUNTER)["id"]
    other = both.spawn("--name", "other", "--", "sh", "-c", COUNTER)["id"]
    pid = both.runner_pid
    os.kill(pid, signal.SIGSTOP)
    both.until_state(counter, "lost")
    assert "runner big is lost since" in both.person.run("ps").stdout
    told = both.person.run("stop", "counter", check=False)
    assert (told.code, "when it is found again" in told.stderr) == (4, True)
    os.kill(pid, signal.SIGCONT)
    both.until_state(counter, "terminated")
    both.until_state(other, "running")
    os.kill(pid, signal.SIGSTOP)
    both.until_state(other, "lost")
    told = both.person.run("sessions", "stop", "shop", "--force", "--grace", "1")
    assert "other on big could not be reached" in told.stderr
    os.kill(pid, signal.SIGCONT)
    both.person.run("sessions", "start", "shop")
    both.until_state(other, "terminated")
    lines = lines_of(both.log(other))
    assert lines == list(range(1, len(lines) + 1))


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_who_types_types_each_key_once(both: Lent) -> None:
    echoer = both.spawn("--", *agent("echoer"))["id"]
    both.until_said(echoer, "ready")
    link = Link(only_run(both.person.home).socket, {"agent_id": echoer, "mode": "rw"})
    steps = itertools.cycle((both.kill_hub, both.kill_runner, both.restart_daemon))
    repeater = Repeater(24, lambda: next(steps)())
    repeater.start()
    typed = list(typed_lines(link, repeater.over))
    repeater.join()
    link.close()
    assert len(repeater.told) == 24
    log = both.person.run("logs", echoer).stdout
    assert {line: log.count(f"heard: {line}") for line in typed} == dict.fromkeys(typed, 1)


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_kills_in_any_order_lose_neither_output_nor_what_was_typed(both: Lent) -> None:
    chance = random.Random(seed := int(os.environ.get("STORM_SEED", "0")) or random.randrange(10**6))
    print(f"STORM_SEED={seed}")
    counter = both.spawn("--name", "counter", "--", "sh", "-c", COUNTER)["id"]
    reader = both.spawn("--name", "reader", "--no-tty", "--", "cat")["id"]
    kills: list[Callable[[], None]] = [both.kill_hub, both.kill_runner, both.kill_daemon]
    typed = b""
    for number in range(8):
        words = f"round {number}\n"
        both.person.run("send", "reader", words)
        typed += words.encode()
        chance.choice(kills)()
        now = lines_of(both.log(counter))[-1]
        both.until_said(counter, f"line {now + chance.randrange(1, 400)}")
    wait_until(lambda: both.log(reader) == typed, "all that was typed", PATIENCE)
    both.person.run("kill", "counter", "reader")
    lines = lines_of(both.log(counter))
    assert lines == list(range(1, len(lines) + 1))
