"""What agents said is found again with the installed command, whoever was killed meanwhile."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from pathlib import Path

import pytest

from descartes_local.run_file import read_run_files
from tests.support.person import Person
from tests.support.serving import only_run
from tests.support.storm import ask
from tests.support.waiting import process_gone

pytestmark = pytest.mark.supervisor("shared")


def test_what_was_said_is_found_by_people_and_programs_also_after_a_kill(person: Person, shop: Path) -> None:
    person.run("spawn", "--name", "fixer", shop, "--", "sh", "-c", "echo the deadlock is in worker 7; seq 5")
    person.run("wait", "fixer")
    shown = person.run("search", "deadlock", "worker", "--kind", "output")
    assert "fixer  0  the deadlock is in worker 7" in shown.stdout
    assert person.run("search", "walrus").stdout == "nothing found\n"
    (result,) = person.run("search", "deadlock", "--kind", "output", "--json").json["results"]
    assert set(result) >= {"kind", "session_id", "agent_id", "offset", "at", "snippet", "score"}
    assert person.run("logs", "fixer", "--from", result["offset"]).stdout.startswith("the deadlock")

    run = only_run(person.home)
    assert "numpy" not in Path(f"/proc/{run.pid}/maps").read_text()  # nobody asked for what is alike
    os.kill(run.pid, signal.SIGKILL)
    process_gone(run.pid)
    (again,) = person.run("search", "deadlock", "--kind", "output", "-s", shop, "--json").json["results"]
    assert {**again, "score": 0} == {**result, "score": 0}  # more was said since
    request = urllib.request.Request(
        f"{only_run(person.home).http_endpoint}/rpc/search.query",
        json.dumps({"query": "deadlock", "kinds": ["output"]}).encode(),
        {"Authorization": f"Bearer {person.home.token.read_text().strip()}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert json.load(answer)["results"][0]["offset"] == result["offset"]


def test_inactive_sessions_are_searched_and_not_started(person: Person, shop: Path) -> None:
    person.run("spawn", "--name", "fixer", shop, "--", "echo", "something rare")
    person.run("wait", "fixer")
    person.run("search", "rare")
    person.run("sessions", "stop", shop)
    assert person.run("search", "rare").stdout == ""
    hostile = person.directory / "hostile"  # what lies where somebody searches is not imported
    hostile.mkdir()
    (hostile / "json.py").write_text("raise SystemExit('imported')")
    found = person.run("search", "rare", "--kind", "output", "--all-sessions", "--json", cwd=hostile)
    (result,) = found.json["results"]
    assert result["agent"] == "fixer"
    ran = person.run("search", "rarely", "--kind", "output", "--all-sessions", "--semantic", "--json", cwd=hostile)
    assert ran.json["results"] == []
    assert "cannot be compared yet" in ran.stderr
    assert not read_run_files(person.home)
    person.run("search", "--semantic", "rare", "-s", shop)  # it makes what is compared from now on
    person.run("sessions", "stop", shop)
    (alike,) = person.run("search", "rarely", "--kind", "output", "--all-sessions", "--semantic", "--json").json[
        "results"
    ]
    assert (alike["agent"], alike["snippet"]) == ("fixer", "something rare")
    assert not read_run_files(person.home)
    assert person.run("search", "rare", "--group", "team", "-s", shop, check=False).code == 2
    assert person.run("search", "--all-sessions", "--", "-rare", check=False).code == 2


def test_an_indexer_ends_with_its_daemon_and_the_next_goes_on(person: Person, shop: Path) -> None:
    """A flood, a search that begins to index it, both processes killed; the next search finds its last line."""
    person.run("spawn", "--name", "loud", shop, "--", "sh", "-c", "seq -f 'line %g of the flood' 300000")
    person.run("wait", "loud")
    run = only_run(person.home)
    ask(run.socket, "search.query", {"query": "flood", "wait": 0.0})
    os.kill(run.pid, signal.SIGKILL)
    process_gone(run.pid)
    run = only_run(person.home)
    reply = ask(run.socket, "search.query", {"query": '"line 299999"', "kinds": ["output"], "wait": 30.0})
    assert [result["snippet"] for result in reply["results"]] == ["line 299999 of the flood"]
    assert reply["behind"] == 0
