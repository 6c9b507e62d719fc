"""Output is kept within its caps, read in every form, and removed when it is old, whoever is killed meanwhile."""

from __future__ import annotations

import base64
import json
import os
import pty
import select
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from descartes_local.run_file import read_run_files
from tests.support.moments import Moments
from tests.support.person import Person
from tests.support.programs import agent, installed
from tests.support.serving import only_run
from tests.support.storm import ask
from tests.support.waiting import process_gone, wait_until

pytestmark = pytest.mark.supervisor("shared")

MEBIBYTE = 1024 * 1024
LINES = 300_000


def configure(person: Person, text: str) -> None:
    person.home.make()
    (person.home.path / "config.toml").write_text(text)


def line_at(offset: int) -> bytes:
    """Return what `loud --width 98` says at an offset."""
    return b"%08d" % (offset // 100) + b"." * 90 + b"\r\n"


class Reader(threading.Thread):
    """Follows an output to its end: every byte is right, every other one in a gap."""

    def __init__(self, socket: str, agent_id: str, *, goes_on: threading.Event) -> None:
        super().__init__(name="reader")
        self._socket, self._agent_id, self._goes_on = socket, agent_id, goes_on
        self.bytes = self.gone = self.size = 0
        self.wrong: list[str] = []

    def run(self) -> None:
        offset = 0
        while True:
            params = {"agent_id": self._agent_id, "offset": offset, "limit": MEBIBYTE, "wait": 5.0}
            reply = ask(self._socket, "agent.output", params)
            if reply["gap"] is not None:
                self.gone += reply["gap"]["end"] - offset
                self._check(reply["gap"]["begin"] == offset and reply["gap"]["end"] == reply["offset"], reply["gap"])
            else:
                self._check(reply["offset"] == offset, reply["offset"])
            data = base64.b64decode(reply["data"])
            first = reply["offset"] // 100
            wanted = b"".join(line_at(number * 100) for number in range(first, first + len(data) // 100 + 2))
            begin = reply["offset"] - first * 100
            self._check(data == wanted[begin : begin + len(data)], f"bytes from {reply['offset']}")
            self.bytes += len(data)
            offset = reply["next_offset"]
            if reply["ended"] and offset == reply["size"]:
                self.size = offset
                return
            self._goes_on.wait()

    def _check(self, is_right: bool, what: object) -> None:
        if not is_right:
            self.wrong.append(str(what))


@pytest.mark.timeout(180)
def test_three_readers_of_a_capped_flood_over_a_kill(person: Person, shop: Path, moments: Moments) -> None:
    """Two follow, one stalls; the daemon is killed between the commit of a new beginning and the room given back."""
    configure(person, f"[output]\nagent_cap = {4 * MEBIBYTE}\n")
    session = person.run("sessions", "start", shop, "--json").json
    flow, stall = threading.Event(), threading.Event()
    flow.set()
    with moments.hold("output.drop_committed") as held:
        loud = person.spawn(shop, agent("loud", LINES, "--width", 98))
        readers = [Reader(session["socket"], loud["id"], goes_on=event) for event in (flow, flow, stall)]
        for reader in readers:
            reader.start()
        killed = held.wait()
        os.kill(killed, signal.SIGKILL)
        process_gone(killed)
        held.release()
        assert person.run("wait", loud["id"], timeout=100).code == 0
    stall.set()
    for reader in readers:
        reader.join(60)
        assert (reader.wrong, reader.size, reader.bytes + reader.gone) == ([], LINES * 100, LINES * 100)
    assert readers[2].gone >= LINES * 100 - 5 * MEBIBYTE  # it was told of all that it missed
    detail = ask(only_run(person.home).socket, "agent.get", {"agent_id": loud["id"]})["agent"]
    log = Path(detail["log_path"])
    wait_until(lambda: log.stat().st_blocks * 512 < 6 * MEBIBYTE, "the room is given back")
    assert log.stat().st_size == LINES * 100
    shown = person.run("logs", loud["id"], "--tail", "2")
    assert shown.stdout.splitlines() == [line_at((LINES - 2 + one) * 100).decode().strip() for one in (0, 1)]
    whole = person.run("logs", loud["id"])
    assert len(whole.stdout.splitlines()) * 99 == len(whole.stdout)
    assert f"{detail['output_from']:,} bytes of its stdout from offset 0 on are gone" in whole.stderr
    assert whole.stderr.count("\n") == 1


@pytest.mark.timeout(120)
@pytest.mark.parametrize("moment", ["collect.committed", "collect.renamed", "collect.events_given_up"])
def test_gc_may_be_killed_at_any_moment(person: Person, shop: Path, moments: Moments, moment: str) -> None:
    agents = [person.spawn(shop, ["echo", "said"], "--wait")["id"] for _ in range(3)]
    places = person.home.session(agents_session(person)) / "agents"
    with moments.hold(moment) as held:
        words = ("gc", shop, "--older-than", "0d", "--events-older-than", "0d", "--yes")
        with person.start(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as command:
            killed = held.wait()
            os.kill(killed, signal.SIGKILL)
            process_gone(killed)
            held.release()
            command.communicate(timeout=60)
            assert command.returncode == 0
    wait_until(lambda: list(places.iterdir()) == [], "the next daemon finishes it")
    assert {one["id"] for one in person.run("ps", "-a", "--json").json["agents"]} == set(agents)
    for one in agents:
        shown = person.run("logs", one)
        assert shown.stdout == ""
        assert "6 bytes of its stdout from offset 0 on are gone: removed on" in shown.stderr
    socket = only_run(person.home).socket
    events = ask(socket, "event.list", {"limit": 10_000})
    assert [event["seq"] for event in events["events"]] == list(
        range(events["events"][0]["seq"], events["last_seq"] + 1)
    )
    assert "nothing is old enough" in person.run("gc", shop, "--dry-run").stdout


def agents_session(person: Person) -> str:
    return only_run(person.home).session_id


def test_gc_asks_first(person: Person, shop: Path) -> None:
    agent_id = person.spawn(shop, ["echo", "said"], "--name", "talker", "--wait")["id"]
    refused = person.run("gc", shop, "--older-than", "0d", check=False)
    assert (refused.code, refused.stdout.count("talker")) == (5, 1)
    assert "--yes" in refused.stderr
    for answer, code in (("n\n", 5), ("y\n", 0)):
        assert answered(person, answer, "gc", str(shop), "--older-than", "0d") == code
    assert person.run("logs", agent_id).stdout == ""
    assert person.run("gc", shop, "--older-than", "0d", "--json").json["sessions"][0]["agents"] == []
    for nonsense in ("soon", "-1d", "1e9d"):
        assert person.run("gc", shop, "--older-than", nonsense, check=False).code == 2


def test_gc_outside_of_any_workspace_is_for_all_sessions(person: Person, shop: Path) -> None:
    """Once it failed, or meant the active one; doctor says to type it on any full disk."""
    places = {"shop": shop, "farm": person.workspace("farm"), "old": person.workspace("old")}
    ids = {name: person.spawn(place, ["echo", name], "--wait")["session_id"] for name, place in places.items()}
    person.run("sessions", "stop", "farm")
    person.run("sessions", "archive", "old")
    asked = person.run("gc", "--older-than", "0d", "--dry-run", "--json")
    assert {one["name"]: len(one["agents"]) for one in asked.json["sessions"]} == {"shop": 1, "farm": 1}
    assert (asked.json["errors"], asked.stderr) == ({}, "descartes: kept: all of old: it is archived\n")
    assert asked.json["bytes"] == sum(one["bytes"] for one in asked.json["sessions"]) > 0
    assert "to remove: the output of 1 agent," in person.run("gc", "--older-than", "0d", "--dry-run", cwd=shop).stdout
    refused = person.run("gc", "--older-than", "0d", check=False)
    assert (refused.code, "the output of 2 agents" in refused.stderr) == (5, True)
    assert "removed: the output of 2 agents" in person.run("gc", "--older-than", "0d", "--yes").stdout
    left = {name: list((person.home.session(one) / "agents").iterdir()) != [] for name, one in ids.items()}
    assert left == {"shop": False, "farm": False, "old": True}
    assert [run.name for run in read_run_files(person.home)] == ["shop"]


def test_gc_goes_on_where_one_session_fails(person: Person, shop: Path) -> None:
    person.spawn(shop, ["echo", "said"], "--wait")
    farm = person.workspace("farm")
    person.spawn(farm, ["echo", "said"], "--wait")
    person.run("sessions", "stop", "farm")
    (farm / "config.toml").write_text("[agents]\ngrace = 'long'\n")
    ran = person.run("gc", "--older-than", "0d", "--yes", "--json", check=False)
    assert ran.code == 2
    assert ran.json["errors"].keys() == {str(farm)}
    assert "descartes: farm: " in ran.stderr
    assert [len(one["agents"]) for one in ran.json["sessions"]] == [1]


def answered(person: Person, answer: str, *words: str) -> int:
    """Run a command on a terminal, answer its question, and return its exit code."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        [installed("descartes"), *words], stdin=slave, stdout=slave, stderr=slave, cwd=person.directory
    ) as command:
        os.close(slave)
        seen = b""
        while b"]: " not in seen:
            assert select.select([master], [], [], 20)[0], seen
            seen += os.read(master, 4096)
        os.write(master, answer.encode())
        code = command.wait(20)
    os.close(master)
    return code


def test_logs_have_many_forms(person: Person, shop: Path) -> None:
    script = 'printf "\\033[31mżółw\\033[0m\\n"; stty rows 30 cols 90; echo two; read x; echo three'
    made = person.spawn(shop, ["sh", "-c", script], "--size", "100x20", "--name", "talker")
    wait_until(lambda: "two" in person.run("logs", "talker").stdout, "it has spoken")
    person.run("send", "--enter", "talker", "go on")
    person.run("wait", made["id"])
    raw = subprocess.run(
        [installed("descartes"), "logs", made["id"], "--format", "raw"], capture_output=True, check=True
    ).stdout
    lines = [json.loads(line) for line in person.run("logs", made["id"], "--format", "json").stdout.splitlines()]
    assert b"".join(base64.b64decode(line["data"]) for line in lines) == raw
    assert {(*line, line["direction"], line["session_id"]) for line in lines} == {
        ("timestamp", "session_id", "direction", "data", "size", "output", made["id"])
    }
    assert [line["timestamp"] for line in lines] == sorted(line["timestamp"] for line in lines)
    header, *events = map(json.loads, person.run("logs", made["id"], "--format", "cast").stdout.splitlines())
    assert (header["version"], header["width"], header["height"], header["title"]) == (2, 100, 20, "talker")
    assert "".join(data for _, kind, data in events if kind == "o").encode() == raw
    assert [at for at, _, _ in events] == sorted(at for at, _, _ in events)
    assert person.run("logs", made["id"], "--grep", "^t.o$|ż").stdout == "żółw\ntwo\n"
    assert person.run("logs", made["id"], "--since", "1h").stdout.startswith("żółw")
    assert person.run("logs", made["id"], "--since", "2100-01-01T00:00:00Z").stdout == ""
    for words in (
        ["--since", "soon"],
        ["--grep", "("],
        ["--grep", "x", "--format", "raw"],
        ["--since", "1h", "--tail", "1"],
    ):
        assert person.run("logs", made["id"], *words, check=False).code == 2, words
    refused = person.run("logs", made["id"], "--stream", "stderr", check=False)
    assert (refused.code, "one stream" in refused.stderr) == (5, True)


def test_who_said_nothing_has_a_recording_all_the_same(person: Person, shop: Path) -> None:
    """It was once an empty file, which is none."""
    made = person.spawn(shop, ["true"], "--name", "silent", "--wait")
    (line,) = person.run("logs", made["id"], "--format", "cast").lines
    assert (line["version"], line["width"], line["height"], line["title"]) == (2, 80, 24, "silent")
    assert line["timestamp"] > 1_700_000_000


def test_logs_of_both_streams(person: Person, shop: Path) -> None:
    made = person.spawn(shop, ["sh", "-c", "seq 5000; seq 7000 >&2"], "--no-tty")
    followed = person.run("logs", "-f", made["id"])
    for said, count in ((followed.stdout, 5000), (followed.stderr, 7000)):
        assert said == "".join(f"{number}\n" for number in range(1, count + 1))
    assert person.run("logs", made["id"], "--stream", "stderr", "--tail", "1").stdout == "7000\n"
    lines: list[dict[str, Any]] = [
        json.loads(line) for line in person.run("logs", made["id"], "--format", "json").stdout.splitlines()
    ]
    assert {line["stream"] for line in lines} == {"stdout", "stderr"}
    assert person.run("logs", made["id"], "--format", "cast", check=False).code == 5
    assert person.run("logs", made["id"], "--from", "3", check=False).code == 2


@pytest.mark.timeout(120)
@pytest.mark.skipif(os.getuid() != 0, reason="mounting a small disk needs root")
def test_nothing_is_lost_in_silence_by_a_full_disk_and_a_kill(person: Person, shop: Path, moments: Moments) -> None:
    """The daemon dies between the note of what is lost and its loss: the next one tells of it, once."""
    configure(person, '[output]\non_full_disk = "drop"\n')
    session = person.run("sessions", "start", shop, "--json").json
    disk = person.home.session(session["id"]) / "agents"
    disk.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", str(disk)], check=True)
    try:
        with moments.hold("recorder.loss_noted") as held:
            loud = person.spawn(shop, agent("loud", LINES // 10, "--width", 98))
            killed = held.wait()
            os.kill(killed, signal.SIGKILL)
            process_gone(killed)
            held.release()
        assert person.run("wait", loud["id"]).code == 0
        subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
        for _ in range(2):
            run = only_run(person.home)
            os.kill(run.pid, signal.SIGKILL)
            process_gone(run.pid)
            detail = ask(run.socket, "agent.get", {"agent_id": loud["id"]})["agent"]
        events = ask(only_run(person.home).socket, "event.list", {"limit": 10_000})["events"]
        lost = [event["data"] for event in events if event["event_type"] == "output_dropped"]
        assert len(lost) == 2  # one of each daemon
        assert lost[0]["end"] == lost[1]["begin"]
        # What lay in the pipe is told as lost, and came all the same.
        assert 0 < detail["output_bytes"] - LINES // 10 * 100 <= 65_536
        shown = person.run("logs", loud["id"], "--format", "raw")
        kept = len(shown.stdout.replace("\n", "\r\n"))
        assert kept + lost[1]["end"] - lost[0]["begin"] == detail["output_bytes"]
        assert f"{lost[1]['end'] - lost[0]['begin']:,} bytes" in shown.stderr
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.mark.supervisor("shared")
def test_what_is_old_is_compressed_and_read_as_before(person: Person, shop: Path) -> None:
    agent = person.run("spawn", "--wait", "--json", "--", "sh", "-c", "seq -f %099.0f 5000", cwd=shop).json["id"]
    before = person.run("logs", agent, cwd=shop).stdout
    ran = person.run("gc", shop, "--compress-older-than", "0d", "--dry-run").stdout
    assert "to compress: the output of 1 agent, 493" in ran
    assert "to remove" not in ran
    ran = person.run("gc", shop, "--compress-older-than", "0d").stdout  # nothing goes: nobody is asked
    assert "compressed: the output of 1 agent, 493" in ran
    assert person.run("logs", agent, cwd=shop).stdout == before
    assert person.run("logs", agent, "--tail", "3", cwd=shop).stdout.splitlines() == before.splitlines()[-3:]
    (part,) = person.run("gc", shop, "--compress-older-than", "0d", "--json").json["sessions"]
    assert part["compressed"] == []
