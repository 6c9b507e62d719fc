"""What an agent's terminal showed is shown again, and taken along, by the installed command."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import termios
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.support.moments import Moments
from tests.support.person import Person
from tests.support.programs import agent, installed
from tests.support.waiting import process_gone, wait_until

pytestmark = [pytest.mark.supervisor("shared"), pytest.mark.timeout(150)]

SECRET = "zQ9-vW8_xY7kL3mN5pQ2"
_STORY = f"""
import fcntl, struct, sys, termios, time
def say(text): sys.stdout.write(text); sys.stdout.flush()
say("\\x1b[1;31mone\\x1b[0m\\n")
say("export A_TOKEN={SECRET[:8]}"); say("\\x1b[1m{SECRET[8:]}\\x1b[0m\\n")
say("</pre><script>alert(1)</script>&\\n")
fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
say("\\x1b]52;c;aGVsbG8=\\x07\\x1b[6n\\x1b[?1003htwo\\n")
say("\\x1b[?1049h\\x1b[2;3Hfull screen\\x1b[?1049l")
say("last\\n")
"""


@pytest.fixture
def told(person: Person, shop: Path) -> str:
    """Give the name of an agent that has told its story."""
    person.spawn(shop, [sys.executable, "-I", "-S", "-c", _STORY], "--name", "teller")
    person.run("wait", "teller")
    return "teller"


class Strict(HTMLParser):
    """Refuses a page that is not balanced, or has more than it should."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in {"html", "head", "meta", "title", "style", "body", "h1", "p", "pre", "span"}, tag
        assert {name for name, _ in attrs} <= {"lang", "charset", "name", "content", "http-equiv", "class", "style"}
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("pre", "span"):
            self.text.append(data)


def test_a_recording_is_exported_without_its_secrets_in_every_form(person: Person, told: str) -> None:
    cast = person.run("export", told).stdout
    header, *events = [json.loads(line) for line in cast.splitlines()]
    assert (header["version"], header["title"]) == (2, told)
    said = "".join(event[2] for event in events if event[1] == "o")
    assert "export A_TOKEN=***" in said
    assert SECRET[:8] not in said
    assert SECRET[8:] not in cast
    assert [event[0] for event in events] == sorted(event[0] for event in events)
    lines = person.run("export", told, "--format", "jsonl").lines
    assert {line["direction"] for line in lines} >= {"output", "resize"}
    text = person.run("export", told, "--format", "text").stdout
    assert text.split("\n")[:4] == ["one", "export A_TOKEN=***", "</pre><script>alert(1)</script>&", "two"]
    assert text.rstrip().endswith("last")
    assert SECRET in person.run("export", told, "--no-redact", "--format", "text").stdout


def test_a_page_is_balanced_and_has_no_script_whatever_the_agent_said(person: Person, told: str) -> None:
    place = person.directory / "page.html"
    person.run("export", told, "-o", place)
    page = Strict()
    page.feed(place.read_text())
    page.close()
    assert page.open == []
    text = "".join(page.text)
    assert "</pre><script>alert(1)</script>&" in text
    assert "full screen" in text
    assert 'class="b" style="color:var(--c1)">one</span>' in place.read_text()
    assert "<script" not in place.read_text()
    assert place.stat().st_mode & 0o777 == 0o600


def test_a_file_is_there_whole_or_not_at_all(person: Person, told: str) -> None:
    place = person.directory / "kept.cast"
    place.write_text("before")
    assert person.run("export", "nobody", "-o", place, check=False).code == 3
    assert place.read_text() == "before"
    refused = person.run("export", told, "-o", person.directory / "gone" / "x.cast", check=False)
    assert (refused.code, len(refused.stderr.splitlines())) == (5, 1)
    person.run("export", told, "-o", place)
    assert [one.name for one in person.directory.iterdir() if "kept.cast" in one.name] == ["kept.cast"]


class Watching:
    """`descartes replay` in a terminal of its own."""

    def __init__(self, person: Person, *words: object, rows: int = 24, cols: int = 80) -> None:
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (rows, cols))
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.process = subprocess.Popen(
            [installed("descartes"), "replay", *map(str, words)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=person.directory,
        )
        self.seen = b""

    def see(self, wanted: bytes, deadline: float = 20.0) -> bytes:
        ends = time.monotonic() + deadline
        while wanted not in self.seen:
            assert select.select([self.master], [], [], max(ends - time.monotonic(), 0))[0], self.seen
            self.seen += os.read(self.master, 65_536)
        return self.seen

    def end(self) -> int:
        code = self.process.wait(20)
        while select.select([self.master], [], [], 0)[0]:
            self.seen += os.read(self.master, 65_536)
        assert termios.tcgetattr(self.slave) == self.before
        os.close(self.master)
        os.close(self.slave)
        return code


def test_a_replay_shows_all_and_does_nothing_to_the_terminal(person: Person, told: str) -> None:
    watching = Watching(person, told, "--speed", 100)
    watching.see(b"last")
    assert watching.end() == 0
    assert b"\x1b[1;31mone" in watching.seen
    assert b"full screen" in watching.seen
    for harm in (b"\x1b]52", b"\x1b[6n", b"1003", b"\x1b[8;"):
        assert harm not in watching.seen
    assert b"in 100 columns" not in watching.seen


def test_a_replay_is_led_by_keys_and_gives_the_terminal_back(person: Person, shop: Path) -> None:
    story = "import time\nfor word in ('first', 'second', 'third'): print(word, flush=True); time.sleep(0.2)"
    person.spawn(shop, [sys.executable, "-I", "-S", "-c", story], "--name", "slow")
    person.run("wait", "slow")
    watching = Watching(person, "slow", "--speed", 0.02)
    watching.see(b"first")
    os.write(watching.master, b" ")
    os.write(watching.master, b"\x1b[C")
    os.write(watching.master, b"q")
    assert watching.end() == 0
    whole = Watching(person, "slow", "--idle-limit", 0.01)
    whole.see(b"third")
    assert whole.end() == 0


def test_a_replay_begins_with_the_screen_of_that_time(person: Person, shop: Path) -> None:
    story = "import time\nprint('early', flush=True); time.sleep(1.5); print('late', flush=True)"
    person.spawn(shop, [sys.executable, "-I", "-S", "-c", story], "--name", "two")
    person.run("wait", "two")
    watching = Watching(person, "two", "--from", "1.0", rows=10, cols=40)
    assert watching.see(b"late").index(b"early") < watching.seen.index(b"late")
    assert watching.end() == 0
    assert b"was recorded in" in watching.seen
    cut = Watching(person, "two", "--to", "0:01")
    assert cut.end() == 0
    assert b"early" in cut.seen
    assert b"late" not in cut.seen


CAST = [
    {"version": 2, "width": 90, "height": 20, "timestamp": 1700000000, "title": "a demo"},
    [0.5, "o", "hel"],
    [1.25, "o", "lo \u00e9\r\n"],
    [2.0, "i", "ls\r"],
    [2.5, "r", "100x30"],
    [3.0, "m", "here"],
    [4.125, "o", "\x1b[1mend\x1b[0m\r\n"],
]


def cast_in(directory: Path, *lines: object) -> Path:
    place = directory / "demo.cast"
    place.write_text("".join(f"{json.dumps(line)}\n" for line in lines or CAST))
    return place


def test_what_is_imported_is_an_agent_that_is_exported_as_it_was(person: Person, shop: Path) -> None:
    reply = person.run("import", cast_in(person.directory), "-s", shop, "--json").json
    made = reply["agent"]
    assert (made["name"], made["status"], made["exit_code"]) == ("a demo", "completed", None)
    assert (reply["events"], reply["left_out"], reply["recorded_at"]) == (
        6,
        {"markers": 1},
        "2023-11-14T22:13:20.000000Z",
    )
    header, *events = person.run("export", made["id"]).lines
    assert header == {**CAST[0], "title": "a demo"}
    assert events == [event for event in CAST[1:] if event[1] != "m"]
    again = person.run(
        "import", cast_in(person.directory, header, *events), "-s", shop, "--name", "twin", "--json"
    ).json
    assert person.run("export", "twin").lines[1:] == events
    assert person.run("logs", "twin").stdout == "hello é\nend\n"
    assert "end" in person.run("screen", again["agent"]["id"]).stdout
    imported = [event for event in person.run("events", "--json").lines if event["event_type"] == "imported"]
    assert [event["data"]["name"] for event in imported] == ["a demo", "twin"]
    watching = Watching(person, "twin", "--idle-limit", 0.01, rows=40, cols=120)
    watching.see(b"end")
    assert watching.end() == 0


def test_older_and_newer_recordings_are_read_too(person: Person, shop: Path) -> None:
    third = {"version": 3, "term": {"cols": 60, "rows": 10}, "title": "third", "command": "make it"}
    place = cast_in(person.directory, third, [0.5, "o", "a"], [0.25, "o", "b"], [0.1, "x", "3"])
    made = person.run("import", place, "-s", shop, "--json").json["agent"]
    assert (made["status"], made["exit_code"], made["command"]) == ("failed", 3, ["make", "it"])
    assert person.run("export", "third").lines[0]["height"] == 10
    assert [event[0] for event in person.run("export", "third").lines[1:]] == [0.5, 0.75]
    first = {"version": 1, "width": 50, "height": 9, "stdout": [[1.0, "x"], [0.5, "y"]]}
    place.write_text(json.dumps(first, indent=1))
    person.run("import", place, "-s", shop, "--name", "first")
    assert [event[:3] for event in person.run("export", "first").lines[1:]] == [[1.0, "o", "x"], [1.5, "o", "y"]]


@pytest.mark.parametrize(
    "wrong", ["", "no json\n", "[]\n", '{"version": 7}\n', '{"version": 2, "width": 80, "height": 24}\n[1, "o"]\n']
)
def test_what_is_no_recording_leaves_nothing(person: Person, shop: Path, wrong: str) -> None:
    place = person.directory / "wrong.cast"
    place.write_text(wrong)
    refused = person.run("import", place, "-s", shop, check=False)
    assert (refused.code, len(refused.stderr.splitlines())) == (2, 1)
    assert "wrong.cast: " in refused.stderr
    assert person.run("ps", "-a", "--json").json["agents"] == []
    (session,) = (person.home.path / "sessions").iterdir()
    assert [*session.glob("agents/*"), *session.glob("importing/*")] == []


@pytest.mark.parametrize("moment", ["recording.written", "recording.moved", "recording.committed"])
def test_a_kill_in_the_middle_of_an_import_leaves_nothing_or_all(
    person: Person, shop: Path, moments: Moments, moment: str
) -> None:
    place = cast_in(person.directory)
    run = only_run_of(person, shop)
    with moments.hold(moment) as held:
        command = person.start("import", place, "-s", shop)
        assert held.wait() == run
        command.kill()
        command.wait(20)
        os.kill(run, signal.SIGKILL)
        process_gone(run)
    agents = person.run("ps", "-a", "--json").json["agents"]
    only_run_of(person, shop)
    assert [one["name"] for one in agents] == (["a demo"] if moment == "recording.committed" else [])
    (session,) = (person.home.path / "sessions").iterdir()
    wait_until(lambda: not (session / "importing").exists(), "the rest is removed")
    assert len([*session.glob("agents/*")]) == len(agents)
    if agents:
        assert person.run("export", "a demo").lines[1] == CAST[1]


def test_an_import_whose_daemon_is_killed_is_done_once_by_the_next(
    person: Person, shop: Path, moments: Moments
) -> None:
    place = cast_in(person.directory)
    run = only_run_of(person, shop)
    with moments.hold("recording.moved") as held:
        command = person.start("import", place, "-s", shop)
        assert held.wait() == run
        os.kill(run, signal.SIGKILL)
        process_gone(run)
    assert command.wait(40) == 0
    assert [one["name"] for one in person.run("ps", "-a", "--json").json["agents"]] == ["a demo"]
    assert person.run("export", "a demo").lines[1] == CAST[1]


def only_run_of(person: Person, shop: Path) -> int:
    return int(person.run("sessions", "start", shop, "--json").json["pid"])


def test_what_is_typed_is_kept_only_where_that_is_wanted(person: Person, shop: Path) -> None:
    def kinds(name: str) -> set[str]:
        person.spawn(shop, agent("echoer"), "--name", name)
        person.run("send", "--enter", name, "hello there")
        person.run("send", "--enter", name, "exit 0")
        person.run("wait", name)
        return {event[1] for event in person.run("export", name).lines[1:]}

    assert "i" not in kinds("not-kept")
    person.run("sessions", "stop", shop)
    (person.home.path / "config.toml").write_text("[terminals]\nkeep_input = true\n")
    assert "i" in kinds("kept")
    typed = "".join(event[2] for event in person.run("export", "kept").lines[1:] if event[1] == "i")
    assert typed == "hello there\rexit 0\r"


@pytest.mark.skipif(shutil.which("asciinema") is None, reason="asciinema is not installed")
def test_asciinema_plays_what_is_exported(person: Person, told: str) -> None:
    place = person.directory / "it.cast"
    person.run("export", told, "-o", place)
    played = subprocess.run(["asciinema", "cat", str(place)], capture_output=True, check=True, timeout=60)
    assert b"export A_TOKEN=***" in played.stdout
    assert b"last" in played.stdout


def test_without_a_terminal_there_is_nothing_to_show_again(person: Person, shop: Path) -> None:
    person.spawn(shop, agent("silent"), "--name", "mute", "--no-tty")
    for verb in ("replay", "export"):
        refused = person.run(verb, "mute", check=False)
        assert (refused.code, refused.stdout) == (5, "")
        assert "has no terminal" in refused.stderr
    person.run("kill", "--force", "mute")
