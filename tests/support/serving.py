"""A session's daemon as tests meet it: ask it, read its agents, kill it."""

from __future__ import annotations

import base64
import os
import signal
from typing import Any

from descartes_local.home import Home
from descartes_local.processes import Process, process_of
from descartes_local.run_file import RunFile, read_run_files
from tests.support.storm import ask
from tests.support.waiting import process_gone, wait_until


def only_run(home: Home) -> RunFile:
    """Return the run file of the only session that is served."""
    (run,) = read_run_files(home)
    return run


def kill_daemon(home: Home) -> RunFile:
    """Kill the only session's daemon; return the run file of the next one, which answers."""
    killed = only_run(home)
    os.kill(killed.pid, signal.SIGKILL)
    process_gone(killed.pid)
    ask(killed.socket, "session.info", {})
    return wait_until(lambda: _other(home, killed), "the next daemon")


def _other(home: Home, killed: RunFile) -> RunFile | None:
    return next((run for run in read_run_files(home) if run.instance_id != killed.instance_id), None)


def said(home: Home, agent: str, text: str) -> str:
    """Wait until an agent has said this and return all that it said."""
    socket = only_run(home).socket
    heard, where = "", 0
    while text not in heard:
        reply: dict[str, Any] = ask(socket, "agent.output", {"agent_id": agent, "offset": where, "wait": 20.0})
        assert reply["data"] or not reply["ended"], f"{agent} has ended without {text!r}: {heard!r}"
        assert reply["data"], f"{agent} does not say {text!r}: {heard!r}"
        heard += _decoded(reply["data"])
        where = reply["next_offset"]
    return heard


def _decoded(data: str) -> str:
    return base64.b64decode(data).decode(errors="replace")


def family(home: Home, agent: str) -> dict[str, Process]:
    """Return what tests/agents/forker.py has started, by kind, itself as `ready`."""
    lines = said(home, agent, "ready ").splitlines()
    found = {}
    for kind, _, pid in (line.partition(" ") for line in lines):
        process = process_of(int(pid))
        assert process is not None, f"{kind} {pid} is gone already"
        found[kind] = process
    return found
