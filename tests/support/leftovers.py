"""What a test left behind: processes, descriptors, files."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
from collections.abc import Collection
from pathlib import Path

from descartes_core.errors import DescartesError
from descartes_local.home import Home
from descartes_local.processes import Process, command_of, environ_of, every_stat, has_mark, send_signal
from descartes_local.rpc_client import Connection
from descartes_local.run_file import read_run_files
from tests.support.waiting import process_gone


def end_everything(home: Home) -> None:
    """Ask every daemon and the supervisor of a home to end, agents and all; whoever does not answer is left."""
    end_sessions(home)
    _ask(home.supervisor_socket, "shutdown", {})


def end_sessions(home: Home) -> None:
    """Ask every daemon of a home to end, and the supervisor to keep nothing more."""
    for run in read_run_files(home):
        _ask(run.socket, "system.shutdown", {"force": True, "grace": 0.5})
    listed = _ask(home.supervisor_socket, "list", {}) or {}
    for one in [*listed.get("sessions", []), *listed.get("services", [])]:
        _ask(home.supervisor_socket, "stop", {"id": one["id"], "grace": 1.0})


def processes_of(directory: Path) -> dict[Process, str]:
    """Return the living processes whose HOME is this directory, or whose DESCARTES_HOME is in it."""
    found = {}
    for stat in every_stat():
        if stat.process.pid == os.getpid() or stat.is_dead:
            continue
        environ = environ_of(stat.process.pid)
        if has_mark(environ, "HOME", str(directory)) or f"DESCARTES_HOME={directory}/".encode() in environ:
            found[stat.process] = command_of(stat.process.pid)
    return found


def wait_and_kill(
    directory: Path, deadline: float = 5.0, residents: Collection[int] = frozenset()
) -> dict[Process, str]:
    """Wait for the end of a home's processes but the residents; kill and return those that stayed."""
    stayed = {}
    for process, command in processes_of(directory).items():
        if process.pid in residents:
            continue
        try:
            process_gone(process.pid, deadline)
        except AssertionError:
            stayed[process] = command
            send_signal(process, signal.SIGKILL)
    return stayed


def open_descriptors() -> dict[int, str]:
    """Return what this process has open: number and target; garbage is closed before."""
    gc.collect()
    return open_now()


def left_open(before: dict[int, str]) -> set[tuple[int, str]]:
    """Return what was not open before; garbage is looked for only where something is left, as it takes long."""
    if not set(open_now().items()) - set(before.items()):
        return set()
    return set(open_descriptors().items()) - set(before.items())


def open_now() -> dict[int, str]:
    """Return what this process has open, garbage too."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
    # The listing itself was one of them.
    return {number: target for number, target in found.items() if not target.endswith("/fd")}


def doors_of(home: Home) -> list[str]:
    """Return the sockets and run files in a home."""
    if not home.sockets.is_dir():
        return []
    return sorted(entry.name for entry in home.sockets.iterdir() if entry.suffix in (".sock", ".notify", ".json"))


def logs_of(home: Home) -> str:
    """Return the ends of all logs, for the report of a failed test."""
    paths = [*sorted(home.log.glob("*.log")), *sorted(home.path.glob("sessions/*/daemon.log"))]
    return "\n".join(f"--- {path}\n{path.read_text(errors='replace')[-3000:]}" for path in paths)


def _ask(socket: Path | str, method: str, params: dict[str, object]) -> dict[str, list[dict[str, str]]] | None:
    try:
        with Connection(socket, timeout=15) as connection:
            answer: dict[str, list[dict[str, str]]] = connection.call(method, params)
            return answer
    except DescartesError:
        return None
