"""A daemon of this process, and a runner that is a process of its own, at one bare hub."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from descartes_core.bus.link import LinkState
from descartes_core.bus.messages import Hello
from descartes_daemon.agent import Agent
from descartes_daemon.bus.dealer import Bus
from descartes_local.bus_file import BusFile, bus_file_of, keys_in, write_bus_file, write_keys
from descartes_local.home import Home
from descartes_local.run_file import read_run_files
from tests.support.bare_hub import BareHub, new_keys
from tests.support.inside import PATIENCE, Inside, open_inside
from tests.support.on_the_bus import until
from tests.support.waiting import wait_until


class RunnerProcess:
    """A daemon by itself, in a home of its own: its agents end with it."""

    def __init__(self, directory: Path, hub: BareHub, name: str) -> None:
        self.directory, self.home, self._workspace = directory, Home(directory / "home"), directory / "work"
        self.name = name
        self.home.make()
        (self._workspace / ".scud").mkdir(parents=True)
        join(self.home, hub.file(name, "runner"))

    def begin(self) -> None:
        """Start it."""
        http, ws = (str(port) for port in _free_ports())
        words = ["--workdir", str(self._workspace), "--http-port", http, "--ws-port", ws, "-l", "warning"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "descartes_daemon", *words],
            env={**os.environ, "DESCARTES_HOME": str(self.home.path)},
        )

    @property
    def socket(self) -> str:
        """Its Unix socket."""
        (run,) = read_run_files(self.home)
        return run.socket

    def end(self, number: int = signal.SIGTERM) -> None:
        """End it, with what it runs."""
        self.process.send_signal(number)
        self.process.wait(PATIENCE)


def _free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        return one.getsockname()[1], two.getsockname()[1]


def join(home: Home, told: BusFile) -> None:
    """Let all of a home belong to a hub."""
    write_keys(keys_in(home, told.keys), new_keys())
    write_bus_file(bus_file_of(home), told)


@dataclass
class TwoMachines:
    """A daemon with its runner."""

    hub: BareHub
    runner: RunnerProcess
    inside: Inside

    @property
    def bus(self) -> Bus:
        """The daemon's end."""
        bus: Bus = self.inside.daemon.bus.membership.bus
        return bus

    async def spawn(self, command: list[str], **more: Any) -> dict[str, Any]:
        """Start a program on the runner."""
        return await self.inside.spawn(command, on=self.runner.name, **more)

    def agent(self, identity: str) -> Agent:
        """Return what the daemon holds."""
        return self.inside.agent(identity)

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for something that the hub tells."""
        await until(self.bus, is_so)

    async def until_state(self, identity: str, *states: str) -> None:
        """Wait until an agent is in one of these states."""
        async with asyncio.timeout(PATIENCE):
            while (await self.inside.call("agent.get", agent_id=identity))["agent"]["status"] not in states:
                await self.inside.call("system.stats")


@contextlib.contextmanager
def running(runner: RunnerProcess) -> Iterator[RunnerProcess]:
    """Start a runner, and end what is left of it."""
    runner.begin()
    try:
        yield runner
    finally:
        runner.end()


@contextlib.contextmanager
def hub_and_runner(directory: Path, *, heartbeat_secs: float = 2.0) -> Iterator[tuple[BareHub, RunnerProcess]]:
    """Begin with a runner that has greeted."""
    with BareHub(heartbeat_secs) as hub, running(RunnerProcess(directory, hub, "big")) as runner:
        wait_until(lambda: any(isinstance(said, Hello) for _, said in hub.heard), "the runner")
        yield hub, runner


@contextlib.asynccontextmanager
async def joined_by(
    directory: Path, hub: BareHub, runner: RunnerProcess, *, ends_hub: bool = False
) -> AsyncIterator[TwoMachines]:
    """Begin with a daemon at the hub of a runner; at the end nothing of it runs there."""
    async with open_inside(directory) as inside:
        join(inside.daemon.setup.home, hub.file("laptop"))
        await inside.daemon.bus.begin()
        both = TwoMachines(hub, runner, inside)
        try:
            await both.until(lambda: both.bus.state is LinkState.CONNECTED and "big" in both.bus.peers)
            yield both
            await inside.daemon.leaving.end_all(0.0)
        finally:
            await inside.daemon.bus.leave()
            if ends_hub:
                hub.end()


@contextlib.asynccontextmanager
async def two_machines(directory: Path, *, heartbeat_secs: float = 2.0) -> AsyncIterator[TwoMachines]:
    """Begin with both connected, and a hub that may go and come, whose descriptors are of this process, too."""
    with BareHub(heartbeat_secs) as hub, running(RunnerProcess(directory / "r", hub, "big")) as runner:
        async with joined_by(directory / "d", hub, runner, ends_hub=True) as both:
            yield both
