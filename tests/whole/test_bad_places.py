"""Bad places get a clear error and harm nothing: directories, homes, ports, files that were torn."""

from __future__ import annotations

import ctypes
import http.server
import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from descartes_local.home import Home
from descartes_local.run_file import read_run_files
from tests.support.leftovers import doors_of, end_everything, processes_of
from tests.support.person import Person, Ran
from tests.support.programs import installed
from tests.support.refusing import refused
from tests.support.serving import only_run
from tests.support.waiting import wait_until

pytestmark = pytest.mark.supervisor("shared")

as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root mounts")

#: prctl(2) and capabilities(7).
_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 24, 1, 2


@pytest.fixture
def read_only(person: Person) -> Iterator[Path]:
    """Give a workspace on a file system that nobody can write, root neither."""
    place = person.directory / "read only"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], check=True)
    try:
        (place / ".scud").mkdir()
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.supervisor("own")
def test_what_is_no_directory_or_no_workspace_is_refused(person: Person) -> None:
    file, plain = person.directory / "file", person.directory / "plain"
    file.write_text("")
    plain.mkdir()
    for verb in ("show", "start", "stop", "use"):
        refused(person, 3, ["sessions", verb, file], "not a directory")
        refused(person, 3, ["sessions", verb, plain], "not in a workspace")
        refused(person, 3, ["sessions", verb, person.directory / "gone"], "gone")
        refused(person, 3, ["sessions", verb, "../" * 40 + "etc"], "/etc")
    refused(person, 5, ["sessions", "create", file], file)
    refused(person, 5, ["sessions", "create", file / "below"], file)
    refused(person, 3, ["spawn", file, "--", "true"], "not a directory")
    refused(person, 3, ["spawn", plain, "--", "true"], "not in a workspace")
    assert list(plain.iterdir()) == []
    assert not person.home.supervisor_socket.exists()


@pytest.mark.timeout(120)
def test_a_workspace_of_a_strange_name_works(person: Person) -> None:
    names = ("two\nlines", "🐢 żółw", "-dash", "x" * 200, "quo'te\"s", "\x1b[31mred")
    for name in names:
        assert person.run("spawn", f"{person.workspace(name)}/", "--wait", "--", "pwd").stdout.count("\n") == 1
    for verb, lines in ((["sessions", "list"], 1), (["ps", "-a"], 1 + len(names))):
        told = person.run(*verb).stdout
        assert "\x1b" not in told
        assert len(told.splitlines()) == lines + len(names)
    assert len(person.run("ps", "-a", "--json").json["sessions"]) == len(names)


@as_root
def test_a_read_only_workspace_works_and_says_so(person: Person, read_only: Path) -> None:
    started = person.run("sessions", "start", read_only)
    assert "cannot be written" in started.stderr
    assert started.stderr.count("\n") == 1
    agent = person.spawn(read_only, ["sh", "-c", "touch mine; exit 3"])
    assert person.run("wait", agent["id"], check=False).code == 3
    shown = person.run("sessions", "show", read_only, "--json").json
    assert shown["status"] == "Active"
    assert any("cannot be written" in note for note in shown["notes"])
    person.run("sessions", "stop", read_only)
    assert person.run("sessions", "show", read_only, "--json").json["id"] == shown["id"]
    refused(person, 4, ["sessions", "create", read_only / "new"], "Read-only file system")


def run_by_modes(person: Person, *words: object) -> Ran:
    """Run a command for which the modes of files hold, also where we are root."""
    libc = ctypes.CDLL(None)

    def shed_powers() -> None:
        for power in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
            libc.prctl(_PR_CAPBSET_DROP, power, 0, 0, 0)

    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with person.start(*words, preexec_fn=shed_powers, **pipes) as process:
        out, complaint = process.communicate(timeout=40)
    return Ran(("descartes", *map(str, words)), process.returncode, str(out), str(complaint))


def test_what_may_not_be_read_is_told_and_the_rest_is_found(person: Person, shop: Path) -> None:
    closed = person.workspace("closed")
    closed.chmod(0)
    try:
        listed = run_by_modes(person, "sessions", "list", "--json").json
        assert [one["name"] for one in listed["sessions"]] == ["shop"]
        assert listed["errors"] == {str(closed): "Permission denied"}
        for verb, code in (("start", 3), ("show", 3), ("stop", 3), ("use", 3), ("create", 4)):
            ran = run_by_modes(person, "sessions", verb, closed)
            assert (ran.code, ran.stdout, ran.stderr.count("\n")) == (code, "", 1), str(ran)
            assert "Permission denied" in ran.stderr
        assert run_by_modes(person, "spawn", closed, "--", "true").code == 3
    finally:
        closed.chmod(0o755)


@pytest.mark.parametrize("which", ["--http-port", "--ws-port"])
def test_a_lone_daemon_names_the_port_a_stranger_has(person: Person, shop: Path, which: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        taken = stranger.getsockname()[1]
        ports = {"--http-port": free_port(), "--ws-port": free_port(), which: taken}
        words = [str(word) for pair in ports.items() for word in pair]
        command = [installed("descartes-daemon"), *words, "--workdir", str(shop)]
        done = subprocess.run(command, cwd=person.directory, capture_output=True, text=True, timeout=40)
    assert done.returncode == 4, done.stderr
    assert str(taken) in done.stderr.splitlines()[-1]
    assert read_run_files(person.home) == []
    assert not (shop / ".scud/session.json").exists() or '"Active"' not in (shop / ".scud/session.json").read_text()
    person.run("sessions", "start", shop)


@pytest.mark.supervisor("own")
def test_the_supervisor_passes_over_ports_of_strangers(person: Person, shop: Path) -> None:
    base = 21_000 + os.getpid() % 400 * 20  # below what the system gives to those who ask for any port
    person.home.make()
    (person.home.path / "config.toml").write_text(f"[supervisor]\nhttp_base = {base}\nws_base = {base + 10}\n")
    with ExitStack() as strangers:
        for port in (base, base + 1, base + 12):
            strangers.enter_context(socket.create_server(("127.0.0.1", port)))
        started = person.run("sessions", "start", shop, "--json").json
    assert started["http_endpoint"] == f"http://127.0.0.1:{base + 3}"
    assert started["ws_endpoint"] == f"ws://127.0.0.1:{base + 13}"


class Stranger(http.server.BaseHTTPRequestHandler):
    """Says that everything is healthy."""

    def do_GET(self) -> None:
        body = b'{"status": "healthy", "service": "descartes-daemon"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_strangers_server_on_our_port_is_not_taken_for_ours(person: Person, shop: Path) -> None:
    """Its run file still lies there, as after a power loss, and something else answers at its port."""
    first = person.run("sessions", "start", shop, "--json").json
    run_file = person.home.run_file(first["id"])
    kept = run_file.read_bytes()
    person.run("sessions", "stop", shop)
    run_file.write_bytes(kept)
    port = int(first["http_endpoint"].rpartition(":")[2])
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Stranger) as stranger:
        serving = threading.Thread(target=stranger.serve_forever)
        serving.start()
        try:
            assert person.run("ps", "--json").json["sessions"] == []
            assert person.run("sessions", "show", shop, "--json").json["pid"] is None
            again = person.run("sessions", "start", shop, "--json").json
            assert again["http_endpoint"] != first["http_endpoint"]
            agent = person.spawn(shop, ["true"])
            assert person.run("wait", agent["id"]).code == 0
        finally:
            stranger.shutdown()
            serving.join()


@pytest.mark.supervisor("own")
def test_a_deep_home_works(person: Person, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sockets would have longer paths than the 107 bytes there are, and lie elsewhere."""
    deep = person.directory / "/".join(["a-long-name-of-a-directory"] * 8)
    deep.mkdir(parents=True)
    monkeypatch.setenv("DESCARTES_HOME", str(deep / "home"))
    home = Home(deep / "home")
    try:
        agent = person.spawn(shop, ["sh", "-c", 'echo "$DESCARTES_SOCKET"; read x; exit 4'])
        assert len(only_run(home).socket.encode()) <= 107
        assert [one["id"] for one in person.run("ps", "--json").json["agents"]] == [agent["id"]]
        person.run("send", agent["id"], "x", "--enter")
        assert person.run("wait", agent["id"], check=False).code == 4
        assert person.run("logs", agent["id"]).stdout.splitlines()[0] == only_run(home).socket
        person.run("sessions", "stop", shop)
        wait_until(lambda: not processes_of(person.directory), "the supervisor ends")
        assert doors_of(home) == []
    finally:
        end_everything(home)
        shutil.rmtree(home.sockets, ignore_errors=True)


@pytest.mark.supervisor("own")
def test_a_home_that_is_none_is_told(person: Person, shop: Path) -> None:
    file = person.directory / "file"
    file.write_text("")
    for words in (["ps"], ["sessions", "list"], ["spawn", shop, "--", "true"], ["sessions", "start", shop]):
        refused(person, 2, list(words), "HOME", env={"HOME": ""})
        refused(person, 2, list(words), "absolute", env={"HOME": "relative"})
    for verb in (["spawn", shop, "--", "true"], ["sessions", "start", shop]):
        refused(person, 4, list(verb), file, env={"HOME": str(file)})
    unset = [
        ["env", "-u", "HOME", installed("descartes"), "ps"],
        ["env", "-u", "HOME", installed("descartes-daemon"), "--workdir", str(shop)],
    ]
    for command in unset:
        done = subprocess.run(command, capture_output=True, text=True, timeout=40)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert "HOME" in done.stderr


@pytest.mark.parametrize(
    "content",
    [b"", b'{"id": "5d3e', b"\0" * 100, b'{"id": "../../etc"}', b"[" * 100_000],
    ids=["empty", "truncated", "zeros", "path", "nested"],
)
def test_a_torn_session_file_is_set_aside_and_told(person: Person, shop: Path, content: bytes) -> None:
    file = shop / ".scud/session.json"
    file.write_bytes(content)
    identity = person.run("sessions", "list", "--json").json["sessions"][0]["id"]
    assert file.read_bytes() == content
    shown = person.run("sessions", "show", shop)
    assert "session.json" in shown.stderr
    started = person.run("sessions", "start", shop)
    assert "session.json" in started.stderr
    (torn,) = (shop / ".scud").glob("session.json.torn-*")
    assert torn.read_bytes() == content
    record = json.loads(file.read_text())
    assert (record["id"], record["status"]) == (identity, "Active")
    person.run("sessions", "stop", shop)
    assert len(list((shop / ".scud").glob("session.json.torn-*"))) == 1


def test_a_cloned_workspace_cannot_lead_us_into_another_directory(person: Person) -> None:
    victim = person.directory / "victim"
    victim.mkdir()
    (victim / "session.json").write_text("mine")
    cloned = person.directory / "projects" / "cloned"
    cloned.mkdir(parents=True)
    (cloned / ".scud").symlink_to(victim)
    for words in (("sessions", "start", cloned), ("spawn", cloned, "--", "true"), ("sessions", "show", cloned)):
        refused = person.run(*words, check=False)
        assert (refused.code, "leaves its workspace" in refused.stderr) == (3, True), str(refused)
    assert "leaves its workspace" in person.run("sessions", "list").stderr
    assert [path.read_text() for path in victim.iterdir()] == ["mine"]
