"""One command lends a machine: it keeps its key, comes back by itself, and leaves when its agents have."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from descartes_core.bus import messages as m
from descartes_core.bus.invitation import Invitation, write_token
from descartes_core.errors import Refused
from descartes_core.ids import new_id
from descartes_daemon.bus.dealer import Bus
from descartes_local.bus_file import BusFile
from descartes_local.home import Home
from descartes_local.run_file import read_run_files
from tests.support.hubs import RunningHub
from tests.support.leftovers import end_everything
from tests.support.on_the_bus import Caller, running
from tests.support.person import Person
from tests.support.programs import installed

SHOP = "laptop/" + new_id()


@pytest.fixture
def hub(person: Person) -> Iterator[RunningHub]:
    person.home.make()
    hub = RunningHub(person.home)
    try:
        yield hub
    finally:
        hub.end()


class Machine:
    """Another machine: a HOME of its own."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.home = Home(directory / ".descartes")
        self._env = {**os.environ, "HOME": str(directory)}
        self._directory = directory

    def run(self, *words: str, code: int = 0) -> str:
        """Run a command to its end."""
        done = subprocess.run(
            [installed("descartes"), *words],
            env=self._env,
            cwd=self._directory,
            capture_output=True,
            text=True,
            timeout=40,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command that goes on."""
        return subprocess.Popen(
            [installed("descartes"), *words],
            env=self._env,
            cwd=self._directory,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    @property
    def daemon(self) -> int:
        """The pid of the only daemon."""
        (run,) = read_run_files(self.home)
        return run.pid


@pytest.fixture
def there(person: Person) -> Iterator[Machine]:
    machine = Machine(person.directory / "there")
    try:
        yield machine
    finally:
        end_everything(machine.home)


def until(process: subprocess.Popen[str], wanted: str) -> str:
    """Read what a command says up to a line with this in it."""
    assert process.stdout is not None
    said = ""
    while wanted not in said:
        line = process.stdout.readline()
        assert line, f"ended without {wanted!r}: {said}"
        said += line
    return said


def ended(process: subprocess.Popen[str]) -> int:
    """Return how a command ended."""
    process.communicate(timeout=20)
    return process.returncode


def ask(hub: RunningHub, work: Callable[[Caller], Awaitable[Any]]) -> Any:
    """Let a daemon elsewhere ask the runner."""
    keys = hub.enrolled("daemon", "laptop")

    async def asked() -> Any:
        hello = m.Hello(protocol_version=m.PROTOCOL_VERSION, role="daemon", name=SHOP, generation=1)
        bus = Bus(hello, BusFile("daemon", hub.endpoint, hub.key, SHOP, ""), keys)
        async with running(bus):
            return await work(Caller(bus, "big"))

    return asyncio.run(asked())


def test_a_runner_comes_back_by_itself_and_leaves_when_its_agents_have(hub: RunningHub, there: Machine) -> None:
    token = hub.token("runner", "big", ["gpu"])
    runner = there.start("runner", token)
    said = until(runner, "\nconnected")
    assert "the runner big (gpu), and takes 100 agents" in said
    assert hub.key in said

    async def work(shop: Caller) -> None:
        spawned = await shop.spawn(["sh", "-c", "read word; echo $word; exit 3"], name="reader")
        began = until(runner, "begins")
        assert f"for {SHOP}" in began
        # It was enrolled once; from now on it has its key.
        assert "the runner big" in there.run("runner", token, "--detach")
        os.kill(there.daemon, signal.SIGKILL)
        status = await shop.command(spawned.id, "get_status")
        assert status.status == "running"
        runner.send_signal(signal.SIGINT)
        until(runner, "draining")
        with pytest.raises(Refused, match="draining"):
            await shop.spawn(["true"])
        there.run("sessions", "restart", "big")
        with pytest.raises(Refused, match="draining"):
            await shop.spawn(["true"])
        await shop.command(spawned.id, "write_stdin", data=b"on\n")
        gone = await shop.until_gone(spawned.id)
        assert gone.exit_code == 3

    ask(hub, work)
    until(runner, "ended: nothing runs here any more")
    assert ended(runner) == 0
    assert read_run_files(there.home) == []
    assert "Inactive" in there.run("sessions", "show", "big")


def test_a_second_interrupt_ends_its_agents(hub: RunningHub, there: Machine) -> None:
    config = there.home.path.parent / "runner.toml"
    config.write_text(f'[runner]\ntoken = "{hub.token("runner")}"\nname = "big"\ncapacity = 1\n')
    runner = there.start("runner", "--config", str(config))
    assert "takes 1 agents" in until(runner, "\nconnected")

    async def work(shop: Caller) -> None:
        spawned = await shop.spawn(["sh", "-c", "trap '' HUP; sleep 1000"], grace=0.1)
        until(runner, "begins")
        runner.send_signal(signal.SIGINT)
        until(runner, "draining")
        runner.send_signal(signal.SIGINT)
        assert (await shop.until_gone(spawned.id)).status == "terminated"

    ask(hub, work)
    assert ended(runner) == 0


def test_what_makes_no_runner_is_told(hub: RunningHub, there: Machine) -> None:
    assert "this machine is no runner" in there.run("runner", code=3)
    assert "for a daemon, and not spent" in there.run("runner", hub.token("daemon", "laptop"), code=5)
    assert "a token begins with" in there.run("runner", "nonsense", code=2)
    astray = write_token(Invitation("tcp://nobody.invalid:5555", "k" * 40, "s" * 40))
    assert "nobody.invalid is not known here" in there.run("runner", astray, code=4)
    assert "sessions list" not in there.run("runner", code=3)
    bad = there.home.path.parent / "bad.toml"
    bad.write_text("[runner]\ncapacity = 'many'\n")
    assert "runner.capacity" in there.run("runner", "--config", str(bad), code=2)
