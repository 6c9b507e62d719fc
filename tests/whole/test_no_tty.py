"""Agents without a terminal: two logs that their programs write, a stdin, and nothing lost with the daemon."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from descartes_local.processes import is_alive, process_of
from tests.support.person import Person
from tests.support.programs import agent
from tests.support.serving import kill_daemon
from tests.support.waiting import process_gone, wait_until

pytestmark = pytest.mark.supervisor("shared")


def spawn(person: Person, shop: Path, name: str, *command: object, options: tuple[object, ...] = ()) -> dict[str, Any]:
    return person.spawn(shop, [*map(str, command)], "--no-tty", "--name", name, *options)


def logs(person: Person, name: str, stream: str) -> str:
    return person.run("logs", name, "--stream", stream, "--format", "raw").stdout


def log_of(person: Person, spawned: dict[str, Any], stem: str = "output") -> Path:
    return person.home.session(spawned["session_id"]) / "agents" / spawned["id"] / f"{stem}.log"


def digest(path: Path) -> dict[str, object]:
    data = path.read_bytes()
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


@pytest.mark.timeout(180)
def test_a_million_lines_on_both_streams_are_exact_over_kills(person: Person, shop: Path) -> None:
    """What is followed meanwhile is exact, too, though who follows loses its daemon as well."""
    told = {stream: person.directory / f"told-{stream}" for stream in ("stdout", "stderr")}
    loud = {stream: " ".join(agent("loud", 1_000_000, "--checksum", path)) for stream, path in told.items()}
    begun = person.directory / "begun"
    script = f"while [ ! -e {begun} ]; do sleep 0.05; done; {loud['stdout']} & {loud['stderr']} >&2; wait; exit 5"
    spawned = spawn(person, shop, "loud", "bash", "-c", script)
    heard = {stream: person.directory / f"heard-{stream}" for stream in told}
    follow = ["logs", "-f", "--format", "raw", "loud", "--stream"]
    with heard["stdout"].open("wb") as out, heard["stderr"].open("wb") as err:
        followers = [person.start(*follow, "stdout", stdout=out), person.start(*follow, "stderr", stdout=err)]
        begun.touch()
        for megabytes in (0.2, 2, 4, 6):
            wait_until(lambda size=megabytes: log_of(person, spawned).stat().st_size > size * 1e6, "more output", 60)
            kill_daemon(person.home)
        assert person.run("wait", "loud", check=False, timeout=90).code == 5
        assert [follower.wait(30) for follower in followers] == [0, 0]
    for stream, stem in (("stdout", "output"), ("stderr", "errors")):
        expected = json.loads(told[stream].read_text())
        assert expected["bytes"] == 9_000_000
        assert digest(log_of(person, spawned, stem)) == expected
        assert digest(heard[stream]) == expected
    assert person.run("ps", "-a", "--json").json["agents"][0]["output_bytes"] == 18_000_000


def test_input_is_streamed_over_the_daemons_death(person: Person, shop: Path) -> None:
    """Each piece that was acknowledged is read once and in order; the end of input ends the program."""
    spawned = spawn(person, shop, "sorter", "cat")
    pieces = [f"{number:06}\n" * 2000 for number in range(12)]
    for number, piece in enumerate(pieces):
        person.run("send", "sorter", "--raw", piece)
        if number % 4 == 3:
            kill_daemon(person.home)
    person.run("send", "sorter", "--eof")
    assert person.run("wait", "sorter").code == 0
    assert log_of(person, spawned).read_text() == "".join(pieces)
    assert person.run("send", "sorter", "more", check=False).code == 5


def test_both_streams_are_followed_at_once_and_told_apart(person: Person, shop: Path) -> None:
    spawn(person, shop, "talker", "sh", "-c", "while read word; do echo out $word; echo err $word >&2; done")
    with person.start("logs", "-f", "talker", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as following:
        assert following.stdout is not None
        assert following.stderr is not None
        for word in ("one", "two"):
            person.run("send", "talker", word, "--enter")
            assert following.stdout.readline() == f"out {word}\n".encode()
            assert following.stderr.readline() == f"err {word}\n".encode()
        person.run("send", "talker", "--eof")
        assert following.wait(20) == 0
        assert (following.stdout.read(), following.stderr.read()) == (b"", b"")
    assert logs(person, "talker", "stdout") == "out one\nout two\n"
    assert logs(person, "talker", "stderr") == "err one\nerr two\n"


def test_what_grandchildren_write_late_is_followed_to_its_end(person: Person, shop: Path) -> None:
    go, deaf = person.directory / "go", person.directory / "deaf"
    child = f"trap '' HUP TERM; touch {deaf}; while [ ! -e {go} ]; do sleep 0.05; done; echo late; echo later >&2"
    # What it leaves is asked to end at once: it must be deaf before.
    parent = f'echo begun; (setsid bash -c "{child}") & while [ ! -e {deaf} ]; do sleep 0.05; done; exit 3'
    spawn(person, shop, "parent", "bash", "-c", parent, options=("--grace", "60"))
    assert person.run("wait", "parent", check=False).code == 3
    with person.start("logs", "-f", "--stream", "stdout", "parent", stdout=subprocess.PIPE) as following:
        assert following.stdout is not None
        assert following.stdout.readline() == b"begun\n"
        kill_daemon(person.home)
        go.touch()
        assert following.stdout.readline() == b"late\n"
        assert following.wait(20) == 0
    assert logs(person, "parent", "stderr") == "later\n"


def test_a_kill_ends_the_whole_tree(person: Person, shop: Path) -> None:
    spawn(person, shop, "forker", *agent("forker", "--deaf"))
    wait_until(lambda: logs(person, "forker", "stdout").count("\n") >= 4, "the whole family")
    pids = [int(line.split()[1]) for line in logs(person, "forker", "stdout").splitlines()]
    family = [process for pid in pids if (process := process_of(pid)) is not None]
    assert len(family) == 4
    kill_daemon(person.home)
    killed = person.run("kill", "--force", "forker", "--json").json
    assert "terminated" in json.dumps(killed)
    assert not any(is_alive(process) for process in family)


def test_pausing_stopping_and_signals_reach_it(person: Person, shop: Path) -> None:
    spawned = spawn(person, shop, "cat", "cat")
    person.run("pause", "cat")
    person.run("send", "cat", "word", "--enter")
    kill_daemon(person.home)
    assert person.run("ps", "--json").json["agents"][0]["status"] == "paused"
    assert logs(person, "cat", "stdout") == ""
    person.run("resume", "cat")
    wait_until(lambda: logs(person, "cat", "stdout") == "word\n", "the word")
    person.run("stop", "cat")
    process_gone(spawned["pid"])


def test_verbs_that_need_a_terminal_say_what_to_use_instead(person: Person, shop: Path) -> None:
    spawn(person, shop, "cat", "cat")
    refused = person.run("screen", "cat", check=False)
    assert (refused.code, "no terminal" in refused.stderr) == (5, True)
    for wrong in (["--attach"], ["--size", "80x24"]):
        ran = person.run("spawn", shop, "--no-tty", *wrong, "--", "true", check=False)
        assert (ran.code, "--no-tty" in ran.stderr) == (2, True)
    assert person.run("logs", "cat", "--stream", "stderr").stdout == ""
    person.spawn(shop, agent("silent"), "--name", "silent")
    refused = person.run("logs", "silent", "--stream", "stderr", check=False)
    assert (refused.code, "one stream" in refused.stderr) == (5, True)


def test_stored_agents_are_shown_as_they_are(person: Person, shop: Path) -> None:
    """Also from a store that an older daemon wrote, which knows of no such agents."""
    spawn(person, shop, "said", "sh", "-c", "echo four; echo five. >&2")
    person.run("wait", "said")
    person.run("sessions", "stop", shop)
    (found,) = person.run("ps", "-a", "--json").json["agents"]
    assert (found["tty"], found["output_bytes"]) == (False, 11)
    with closing(sqlite3.connect(person.home.session(found["session_id"]) / "state.db")) as store:
        for column in ("tty", "errors_from", "output_from", "collected_at", "stop_grace"):
            store.execute(f"ALTER TABLE agents DROP COLUMN {column}")
        store.commit()
    (found,) = person.run("ps", "-a", "--json").json["agents"]
    assert (found["tty"], found["output_bytes"]) == (True, 5)
