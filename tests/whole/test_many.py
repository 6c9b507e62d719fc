"""Many at once: every workspace gets one daemon, and nobody an error."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from descartes_local.run_file import read_run_files
from tests.support.person import Person

MANY = 20


def start_each(person: Person, workspaces: Sequence[Path]) -> list[dict[str, Any]]:
    """Start all of them by processes of their own, at once, and return what each printed."""
    starts = [
        person.start("sessions", "start", workspace, "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for workspace in workspaces
    ]
    told = []
    for start in starts:
        out, complaint = start.communicate(timeout=150)
        assert (start.returncode, complaint) == (0, b"")
        told.append(json.loads(out))
    return told


def ports(told: Sequence[dict[str, Any]], door: str) -> set[int]:
    return {int(one[door].rpartition(":")[2]) for one in told}


@pytest.mark.timeout(240)
def test_twenty_workspaces_and_one_twenty_times_make_twenty_one_daemons(person: Person) -> None:
    person.home.make()
    # Ports of its own: other stories go on at the same time, and some want certain ones.
    (person.home.path / "config.toml").write_text("[supervisor]\nhttp_base = 30000\nws_base = 30100\n")
    workspaces = [person.workspace(f"shop-{number}") for number in range(MANY)]
    told = start_each(person, [*workspaces, *[person.workspace("the-one")] * MANY])
    assert len({one["id"] for one in told}) == len({one["pid"] for one in told}) == MANY + 1
    http, ws = ports(told, "http_endpoint"), ports(told, "ws_endpoint")
    assert len(http) == len(ws) == MANY + 1
    assert http.isdisjoint(ws)
    runs = read_run_files(person.home)
    assert {(run.session_id, run.pid) for run in runs} == {(one["id"], one["pid"]) for one in told}
    assert all(run.is_alive for run in runs)
    status = person.run("supervisor", "status", "--json").json
    assert (status["sessions"], status["restarts"]) == (MANY + 1, 0)
    for session in person.run("ps", "--json").json["sessions"]:
        assert session["status"] == "Active"
