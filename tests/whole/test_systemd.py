"""With what is here of systemd: its socket activation, and its opinion of the units in the docs."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from descartes_local.run_file import read_run_files
from tests.support.house import ROOT
from tests.support.person import Person
from tests.support.programs import agent, installed
from tests.support.serving import said

ACTIVATE, ANALYZE = shutil.which("systemd-socket-activate"), shutil.which("systemd-analyze")


#: What systemd has from 254 on.
LATER = ("DelegateSubgroup", "FileDescriptorStorePreserve", "RestartSteps", "RestartMaxDelaySec")


def free_ports(count: int) -> list[int]:
    """Return ports that nobody has at this moment."""
    with contextlib.ExitStack() as stack:
        made = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in made]


@contextlib.contextmanager
def activated(person: Person, *options: str) -> Iterator[tuple[int, int, subprocess.Popen[bytes]]]:
    """Let systemd-socket-activate listen for a daemon, which begins with the first connection."""
    http, ws = free_ports(2)
    listen = [f"--listen=127.0.0.1:{http}", f"--listen=127.0.0.1:{ws}"]
    words = [str(ACTIVATE), *listen, *options, str(installed("descartes-daemon")), f"--workdir={person.workspace()}"]
    process = subprocess.Popen(words, cwd=person.directory, stderr=subprocess.PIPE)
    try:
        assert process.stderr is not None
        for _ in range(2):
            assert b"Listening on" in process.stderr.readline()
        yield http, ws, process
    finally:
        process.kill()
        process.wait()
        process.stderr.close()  # type: ignore[union-attr]


@pytest.mark.skipif(ACTIVATE is None, reason="no systemd-socket-activate here")
@pytest.mark.parametrize("options", [["--fdname=http:ws"], ["--fdname=shop.socket"], []], ids=["named", "unit", "none"])
def test_a_daemon_begins_with_the_first_connection(person: Person, options: list[str]) -> None:
    """The connection that woke it is answered, and its agents have what any agent has."""
    with activated(person, *options) as (http, ws, process):
        with urllib.request.urlopen(f"http://127.0.0.1:{http}/health", timeout=20) as answer:
            told = json.load(answer)
        assert (told["status"], told["pid"]) == ("healthy", process.pid)
        (run,) = read_run_files(person.home)
        assert (run.http_endpoint, run.ws_endpoint) == (f"http://127.0.0.1:{http}", f"ws://127.0.0.1:{ws}")
        spawned = person.spawn(person.directory / "projects/shop", agent("echoer"))
        person.run("send", "--enter", spawned["id"], "exit 4")
        assert person.run("wait", spawned["id"], check=False).code == 4
        said(person.home, spawned["id"], "ready")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert not list(read_run_files(person.home))


@pytest.mark.skipif(ACTIVATE is None, reason="no systemd-socket-activate here")
def test_what_others_could_reach_is_not_served(person: Person) -> None:
    (port,) = free_ports(1)
    words = [str(ACTIVATE), f"--listen=0.0.0.0:{port}", str(installed("descartes-daemon"))]
    with subprocess.Popen([*words, f"--workdir={person.workspace()}"], stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert b"Listening on" in process.stderr.readline()
        with socket.create_connection(("127.0.0.1", port), timeout=20):
            assert process.wait(20) == 4
        assert "it listens at 0.0.0.0, not at 127.0.0.1" in process.stderr.read().decode()


def units() -> dict[str, str]:
    """Return the units in the docs, by file name."""
    page = (ROOT / "docs/systemd.md").read_text()
    blocks = [block.partition("```")[0] for block in page.split("```ini\n")[1:]]
    return {block.splitlines()[0].removeprefix("# ~/.config/systemd/user/"): block for block in blocks}


@pytest.mark.skipif(ANALYZE is None, reason="no systemd-analyze here")
def test_systemd_understands_the_units_in_the_docs(tmp_path: Path) -> None:
    for name, text in units().items():
        (tmp_path / name).write_text(text.replace("%h/.local/bin/descartes-daemon", str(installed("descartes-daemon"))))
    service = tmp_path / "descartes@.service"
    service.rename(tmp_path / "descartes@shop.service")
    (tmp_path / "descartes@.socket").rename(tmp_path / "descartes@shop.socket")
    words = [str(ANALYZE), "verify", "--user", "--man=no", *map(str, sorted(tmp_path.iterdir()))]
    done = subprocess.run(words, capture_output=True, text=True)
    # What a later systemd has is told by an earlier one as unknown, and nothing else is to be told.
    complaints = [line for line in done.stderr.splitlines() if tmp_path.name in line]
    assert [line for line in complaints if not any(f"Unknown key '{key}'" in line for key in LATER)] == [], done.stderr
    assert done.returncode == 0, done.stderr
