"""The command in a pipeline: it ends, it is quiet, it loses nothing."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.person import Person
from tests.support.programs import agent, installed
from tests.support.serving import kill_daemon, said
from tests.support.waiting import process_gone

pytestmark = pytest.mark.supervisor("shared")

DESCARTES = installed("descartes")


def piped(person: Person, line: str, **variables: object) -> subprocess.CompletedProcess[str]:
    """Let a shell run a pipeline; $D is the command."""
    env = {**os.environ, "D": DESCARTES, **{name: str(value) for name, value in variables.items()}}
    command = ["bash", "-o", "pipefail", "-c", line]
    return subprocess.run(command, cwd=person.directory, env=env, capture_output=True, text=True, timeout=60)


@pytest.mark.supervisor("own")
def test_a_pipeline_ends_though_what_it_started_goes_on(person: Person, shop: Path) -> None:
    """Supervisor, daemon and agent are started behind the pipe, and hold neither its end nor stderr's."""
    done = piped(person, '"$D" spawn "$SHOP" --name sleeper -- sleep 600 2>&1 | cat', SHOP=shop)
    assert done.returncode == 0
    assert done.stdout.startswith("sleeper  ")
    (found,) = person.run("ps", "--json").json["agents"]
    assert found["status"] == "running"
    for link in Path(f"/proc/{found['pid']}/fd").iterdir():
        assert "pipe:" not in os.readlink(link)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_closed_pipe_is_no_error(person: Person, shop: Path, unbuffered: str) -> None:
    """Where Python was told not to buffer, what a pipe takes only in part was taken for written."""
    person.spawn(shop, agent("loud", 100_000), "--name", "loud")
    person.run("wait", "loud")
    for verb in ("logs loud", "logs -f --format raw loud", "logs --tail 50000 loud"):
        done = piped(person, f'"$D" {verb} | head -n 1; echo ${{PIPESTATUS[*]}}', PYTHONUNBUFFERED=unbuffered)
        assert done.stdout.split() == ["00000000" if "--tail" not in verb else "00050000", "141", "0"], verb
        assert done.stderr == "", verb


def test_a_closed_stdout_is_no_fault_of_ours(person: Person, shop: Path) -> None:
    """Where there is no stdout at all, a socket must not get its number."""
    person.run("sessions", "start", shop)
    for verb in ("ps", "ps -a --json", "events", "sessions show shop", "logs --help"):
        done = piped(person, f'"$D" {verb} >&-; "$D" {verb} 2>&- <&- | true')
        assert "Traceback" not in done.stderr, verb
        assert "Exception ignored" not in done.stderr, verb


@pytest.mark.parametrize("verb", [["logs", "-f", "echoer"], ["events", "-f", "--json", "--since", "0"]], ids=" ".join)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_following_ends_by_a_signal_and_leaves_nothing(
    person: Person, shop: Path, verb: list[str], number: signal.Signals
) -> None:
    person.spawn(shop, agent("echoer"), "--name", "echoer")
    following = person.start(*verb, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with following:
        assert following.stdout is not None
        assert following.stdout.readline() != b""
        following.send_signal(number)
        process_gone(following.pid)
        _, complaint = following.communicate()
    assert (following.returncode, complaint) in [(-number, b""), (128 + number, b"")]
    person.run("send", "echoer", "still here", "--enter")
    assert "heard: still here" in said(person.home, "echoer", "heard: still here")


def test_following_goes_on_over_a_kill_and_is_exact_to_the_byte(person: Person, shop: Path) -> None:
    told = person.directory / "told"
    loud = agent("loud", 200_000, "--checksum", told, "--code", 7, "--block", 16, "--pause", "0.0001")
    person.spawn(shop, loud, "--name", "loud")
    heard = person.directory / "heard"
    with (
        heard.open("wb") as file,
        person.start("logs", "-f", "--format", "raw", "loud", stdout=file, stderr=subprocess.PIPE) as following,
    ):
        for line in ("00010000", "00060000"):
            said(person.home, "loud", line)
            kill_daemon(person.home)
        _, complaint = following.communicate(timeout=60)
    assert (following.returncode, complaint) == (0, b"")
    assert person.run("wait", "loud", check=False).code == 7
    digest = hashlib.sha256(heard.read_bytes()).hexdigest()
    assert json.loads(told.read_text()) == {"bytes": heard.stat().st_size, "sha256": digest}


def test_what_is_sent_through_a_pipe_is_no_question(person: Person, shop: Path) -> None:
    """Nothing asks anything of a stdin that is no terminal, or is closed."""
    done = piped(
        person, '"$D" spawn "$SHOP" --name sleeper -- sleep 600 <&- && "$D" kill --force sleeper <&-', SHOP=shop
    )
    assert done.returncode == 0, done.stderr
