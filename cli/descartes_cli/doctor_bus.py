"""What doctor sees of the bus: our hub, and our daemons at theirs."""

from __future__ import annotations

import contextlib
import shlex
import stat
from collections.abc import Iterator
from typing import Any

from descartes_cli.asking import Question, ask_all
from descartes_cli.remark import Remark, ok, warning, wrong
from descartes_core.errors import DescartesError
from descartes_core.ids import HUB_ID
from descartes_local.code_stamp import loaded_stamp
from descartes_local.home import Home
from descartes_local.run_file import read_run_files

_HUB = "hub"


def look_at_bus(home: Home) -> Iterator[Remark]:
    """Walk over what is to be said; nothing where nobody belongs to a bus."""
    runs = [run for run in read_run_files(home) if run.is_alive]
    asked = {f"daemon {run.session_id}": Question(run.socket, "bus.status", {}) for run in runs}
    asked["held"] = Question(str(home.supervisor_socket), "list", {})
    if (home.path / "hub").is_dir():
        door = str(home.daemon_socket(HUB_ID))
        asked |= {"hub": Question(door, "hub.status", {}), "peers": Question(door, "hub.peers", {})}
    yield from _secrets(home)
    answers = ask_all(asked)
    if "hub" in answers:
        yield from _hub(answers["hub"], answers["held"])
        yield from _peers(answers["peers"])
    for run in runs:
        yield from _daemon(run.name, answers[f"daemon {run.session_id}"])


def _secrets(home: Home) -> Iterator[Remark]:
    """Tell of what only we may read: the home is private, but may be copied to where it is not."""
    for path in (home.path / "bus.json", home.path / "hub" / "peers.json", *sorted(home.path.glob("keys/*.key"))):
        with contextlib.suppress(OSError):
            if stat.S_IMODE(path.stat().st_mode) & 0o077:
                yield warning("keys", f"{path} can be read by others", f"chmod 600 {shlex.quote(str(path))}")


def _hub(status: Any, held: Any) -> Iterator[Remark]:
    services = [] if isinstance(held, DescartesError) else held.get("services", [])
    entry = next((entry for entry in services if entry["id"] == HUB_ID), None)
    if entry is not None and entry["status"] == "Error":
        text = f"was given up: {entry['error'] or 'unknown'}"
        yield wrong(_HUB, text, "descartes hub start tries again; descartes hub logs tells more")
    elif isinstance(status, DescartesError):
        yield ok(_HUB, "none runs here; descartes hub start starts it")
    elif status["stamp"] != loaded_stamp():
        yield warning(_HUB, "runs other code than is installed now", "descartes upgrade")
    else:
        yield ok(_HUB, f"pid {status['pid']}, {status['endpoint']}, {status['peers']} connected")


def _peers(told: Any) -> Iterator[Remark]:
    for row in [] if isinstance(told, DescartesError) else told["peers"]:
        about = f"{row['role']} {row['name']}"
        if row["state"] == "Failed":
            yield warning(about, f"was refused: {row['failure']}", "descartes hub logs tells when")
        elif row["state"] == "Reconnecting" and row["role"] == "runner":
            text = f"has not been heard since {row['last_heard']}: its agents are lost, and go on"
            yield warning(about, text, f"look at that machine; descartes runners remove {row['name']} gives it up")


def _daemon(name: str, status: Any) -> Iterator[Remark]:
    if isinstance(status, DescartesError) or status["state"] in ("None", "Connected"):
        return
    if status["state"] == "Connecting" and not status["failure"]:
        return  # it has only begun
    text = f"its daemon is not connected with the hub at {status['hub']}: {status['failure'] or status['state']}"
    about = f"session {name}"
    if status["role"] == "runner":
        do = "descartes hub status, there; where it lets this runner in no more: descartes runner TOKEN, a new one"
        yield warning(about, text, do)
    elif status["state"] == "Failed":
        yield wrong(about, text, "descartes hub start, or descartes hub join TOKEN, with a token of that hub")
    else:
        yield warning(about, text, "descartes hub status, there")
