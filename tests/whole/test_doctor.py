"""A person who asks what is wrong is told, and told what to type."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.support.cgroups import may_make_some
from tests.support.person import Person
from tests.support.waiting import process_gone

pytestmark = pytest.mark.supervisor("shared")


def remarks(person: Person, level: str, *, code: int = 0) -> dict[str, Any]:
    ran = person.run("doctor", "--json", check=False)
    assert ran.code == code, str(ran)
    return {remark["about"]: remark for remark in ran.json["remarks"] if remark["level"] == level}


@pytest.mark.supervisor("own")
def test_a_fresh_home_is_well_and_nothing_is_made_or_started(person: Person) -> None:
    assert not remarks(person, "error")
    assert not remarks(person, "warning")
    assert not person.home.path.exists()


def test_what_runs_well_is_said_to(person: Person, shop: Path) -> None:
    person.spawn(shop, ["sleep", "1000"])
    assert "session shop" in remarks(person, "ok")
    assert remarks(person, "warning") == {}
    told = person.run("doctor").stdout
    assert "keeps 1 agents in 1 sessions" in told
    assert told.endswith("errors: 0, warnings: 0\n")


def test_who_holds_agents_within_their_limits_is_said(person: Person) -> None:
    text = remarks(person, "ok")["limits"]["text"]
    holder = "daemons themselves hold agents" if "--memory" in text else "the kernel holds agents"
    assert holder in text
    assert ("control group" in text) == may_make_some()


@pytest.mark.supervisor("own")
def test_who_begins_in_a_scope_of_its_own_is_told_so(person: Person, tmp_path: Path) -> None:
    """Without a supervisor the login's own group was told, in which none would ever begin."""
    (tmp_path / "systemd").mkdir()
    ran = person.run("doctor", "--json", check=False, env={"XDG_RUNTIME_DIR": str(tmp_path)})
    (told,) = [remark for remark in ran.json["remarks"] if remark["about"] == "limits"]
    assert ("a scope of its own" in told["text"]) == ("no cgroup v2" not in told["text"])


def test_what_others_could_read_is_told_with_the_command_that_mends_it(person: Person, shop: Path) -> None:
    person.run("sessions", "start", shop)
    person.home.token.chmod(0o644)
    warned = remarks(person, "warning")
    assert warned["token"]["do"] == f"chmod 600 {person.home.token}"


def test_a_broken_configuration_is_an_error(person: Person) -> None:
    person.home.make()
    (person.home.path / "config.toml").write_text("[server]\nhttp_prot = 1\n")
    assert "server.http_prot" in remarks(person, "error", code=1)["configuration"]["text"]


@pytest.mark.supervisor("own")
def test_a_home_that_cannot_be_looked_into_is_an_error_and_no_end(person: Person) -> None:
    ran = person.run("doctor", "--json", check=False, env={"DESCARTES_HOME": f"/tmp/{'x' * 300}"})
    assert ran.code == 1
    assert "supervisor" in {remark["about"] for remark in ran.json["remarks"]}
    (told,) = [remark for remark in ran.json["remarks"] if remark["about"] == "home"]
    assert (told["level"], told["do"]) == ("error", "set DESCARTES_HOME to a directory of yours")


def test_a_workspace_whose_next_start_will_be_refused_is_an_error(person: Person, shop: Path) -> None:
    (shop / ".scud/descartes.toml").write_text("[server]\nhttp_port = 1\n")
    found = remarks(person, "error", code=1)["session shop"]
    assert "will not start" in found["text"]
    assert "descartes.toml:2: server.http_port" in found["text"]


def test_the_ports_of_an_original_are_no_news_of_its_copy(person: Person, shop: Path) -> None:
    person.run("sessions", "start", shop)
    shutil.copytree(shop, shop.with_name("copy"))
    person.run("sessions", "show", shop.with_name("copy"))
    told = [one["text"] for one in person.run("doctor", "--json").json["remarks"]]
    assert any("bears the same id" in text for text in told)
    assert not any("is taken by somebody else" in text for text in told)


def test_the_run_file_of_a_dead_daemon_and_a_socket_of_nobody_can_be_removed(person: Person) -> None:
    person.home.make()
    gone = {"session_id": "0" * 8 + "-0000-4000-8000-" + "0" * 12, "name": "old", "path": "/old", "instance_id": "x"}
    where = {"http_endpoint": "", "ws_endpoint": "", "socket": str(person.home.run / "none.sock"), "started_at": ""}
    run_file = person.home.run / "00000000.json"
    run_file.write_text(json.dumps({**gone, **where, "version": "0", "pid": 2**22 + 1, "process_started": 1}))
    stale = person.home.sockets / "11111111.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(stale))
    warned = remarks(person, "warning")
    assert warned["session old"]["do"] == f"rm {run_file}"
    assert warned["sockets"]["do"] == f"rm {stale}"
    run_file.unlink()
    stale.unlink()


def test_a_port_that_a_stranger_took_is_told(person: Person, shop: Path) -> None:
    person.run("sessions", "start", shop)
    port = int(person.run("sessions", "show", shop, "--json").json["http_endpoint"].rpartition(":")[2])
    person.run("sessions", "stop", shop)
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind(("127.0.0.1", port))
        stranger.listen()
        assert f"its port {port} is taken" in remarks(person, "warning")["session shop"]["text"]


def test_a_daemon_of_another_version_is_told(person: Person, shop: Path) -> None:
    person.run("sessions", "start", shop)
    (path,) = (path for path in person.home.run.glob("*.json") if path.name != "supervisor.json")
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, "version": "0.0.1"}))
    assert "of version 0.0.1" in remarks(person, "warning")["session shop"]["text"]
    refused = person.run("signal", "nobody", "NOSUCH", check=False)
    assert "of version" not in refused.stderr, "an error that has nothing to do with versions says nothing of them"


def test_a_request_that_a_daemon_of_another_version_refuses_says_so(person: Person, shop: Path) -> None:
    person.spawn(shop, ["sleep", "1000"], "--name", "fixer")
    (path,) = (path for path in person.home.run.glob("*.json") if path.name != "supervisor.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": "0.0.1"}))
    # The daemon is what it is: a signal it does not know stands for what only the newer side knows.
    refused = person.run("spawn", shop, "--name", "", "--", "true", check=False)
    assert refused.code == 2
    assert "the daemon of shop is of version 0.0.1" in refused.stderr


def test_a_daemon_that_was_stopped_by_a_signal_is_an_error(person: Person, shop: Path) -> None:
    import os
    import signal

    person.run("sessions", "start", shop)
    pid = person.run("sessions", "show", shop, "--json").json["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        assert remarks(person, "error", code=1)["session shop"]["do"].startswith(f"kill -9 {pid}")
    finally:
        os.kill(pid, signal.SIGCONT)
    person.run("sessions", "stop", shop)
    process_gone(pid)
