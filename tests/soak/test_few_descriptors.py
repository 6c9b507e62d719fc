"""Under a small limit of descriptors agents are started until they run short, and none is lost."""

from __future__ import annotations

import subprocess

import pytest

from tests.support.person import Person
from tests.support.programs import agent, installed
from tests.support.serving import only_run, said

#: Enough for a daemon and a few agents beside those it keeps free.
LIMIT, SPARE = 64, 16


@pytest.mark.soak
def test_agents_are_started_until_descriptors_run_short(person: Person) -> None:
    shop = person.workspace()
    person.home.make()
    (person.home.path / "config.toml").write_text(f"[agents]\nspare_descriptors = {SPARE}\n")
    start = f"ulimit -n {LIMIT}; exec {installed('descartes')} sessions start {shop}"
    subprocess.run(["sh", "-c", start], check=True, timeout=40, cwd=person.directory, capture_output=True)
    daemon = only_run(person.home).pid
    started: list[str] = []
    while (ran := person.run("spawn", shop, "--json", "--", *agent("echoer"), check=False)).code == 0:
        started.append(ran.json["id"])
        assert len(started) < LIMIT
    assert (ran.code, "ulimit -n" in ran.stderr, ran.stderr.count("\n")) == (4, True, 1), str(ran)
    assert len(started) >= 3
    assert {one["id"] for one in person.run("ps", "--json").json["agents"]} == set(started)
    assert "descriptors" in person.run("doctor", check=False).stdout
    assert [line["event_type"] for line in person.run("events", "--json").lines].count("descriptors_low") >= 1
    for one in started:
        person.run("send", "--enter", one, "still here")
        said(person.home, one, "heard: still here")
    person.run("kill", "--force", *started[:2])
    person.run("spawn", shop, "--wait", "--", "true")
    assert only_run(person.home).pid == daemon
