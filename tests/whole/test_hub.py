"""The hub as a person has it: started, asked, killed, stopped."""

from __future__ import annotations

import os
import signal
import socket
from typing import Any

from descartes_core.ids import HUB_ID
from descartes_local.bus_file import bus_file_of, read_bus_file
from descartes_local.home import Home
from descartes_local.processes import process_of
from descartes_orchestrator.hub.joining import enroll, make_keys
from tests.support.leftovers import end_everything
from tests.support.person import Person
from tests.support.waiting import wait_until


def free_port() -> int:
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return int(tried.getsockname()[1])


def test_the_hub_outlives_its_death_and_its_supervisors(person: Person) -> None:
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    started = person.run("hub", "start", "--endpoint", endpoint, "--name", "desk", "--json").json
    assert started["endpoint"] == endpoint
    assert started["name"] == "desk"
    told = person.run("hub", "enroll", "--name", "big", "--label", "gpu", "--json").json
    keys = make_keys()
    enroll(told["token"], keys)
    expected = [("big", ["gpu"], "Disconnected")]

    os.kill(started["pid"], signal.SIGKILL)
    second = person.run("hub", "status", "--json").json
    assert second["pid"] != started["pid"]
    assert (second["endpoint"], second["public_key"]) == (endpoint, started["public_key"])
    assert _runners(person) == expected

    os.kill(person.run("supervisor", "status", "--json").json["pid"], signal.SIGKILL)
    third = wait_until(lambda: _other(person, second["pid"]), "another hub under the next supervisor")
    assert third["endpoint"] == endpoint
    assert _runners(person) == expected
    assert enroll(told["token"], keys)[1].name == "big"

    person.run("supervisor", "upgrade")
    assert person.run("hub", "status", "--json").json["pid"] == third["pid"]
    upgraded = person.run("upgrade", "--force", "--json").json
    assert upgraded["failed"] == []
    fourth = person.run("hub", "status", "--json").json
    assert third["pid"] != upgraded["hub"] == fourth["pid"]
    assert fourth["endpoint"] == endpoint

    assert "listens at" in person.run("hub", "logs").stdout
    assert person.run("runners", "drain", "big", "--json").json == {"name": "big", "is_drained": True}
    person.run("runners", "remove", "big")
    assert _runners(person) == []
    person.run("hub", "stop")
    assert person.run("hub", "status", "--json").json["running"] is False
    assert person.run("runners", "list", check=False).code == 4


def test_the_hub_is_no_session_and_ends_with_the_supervisor(person: Person) -> None:
    hub = person.run("hub", "start", "--endpoint", f"tcp://127.0.0.1:{free_port()}", "--json").json
    assert person.run("ps", "-a", "--json").json["sessions"] == []
    assert person.run("sessions", "list", "-a", "--json").json["sessions"] == []
    status = person.run("supervisor", "status", "--json").json
    assert (status["sessions"], status["services"]) == (0, ["hub"])
    assert [one for one in person.run("doctor", "--json").json["remarks"] if one["about"] == "session hub"] == []
    stopped = person.run("supervisor", "stop")
    assert stopped.stdout.splitlines() == ["hub has stopped", "the supervisor has ended"]
    assert process_of(hub["pid"]) is None


def test_a_home_elsewhere_belongs_to_it_by_a_token(person: Person) -> None:
    person.run("hub", "start", "--endpoint", f"tcp://127.0.0.1:{free_port()}")
    token = person.run("hub", "enroll", "--role", "daemon", "--name", "laptop").stdout.strip()
    elsewhere = Home(person.directory / "elsewhere" / ".descartes")
    there = {"DESCARTES_HOME": str(elsewhere.path)}
    person.run("sessions", "start", person.workspace("mill"), env=there)
    runners = person.run("hub", "enroll", "--name", "small").stdout.strip()
    assert "is for a runner, and not spent" in person.run("hub", "join", runners, env=there, check=False).stderr
    joined = person.run("hub", "join", token, "--json", env=there).json
    assert joined["daemons"] == ["mill"]
    file = read_bus_file(bus_file_of(elsewhere))
    assert file is not None
    assert (file.role, file.name) == ("daemon", "laptop")
    assert (elsewhere.path / "keys" / file.keys).stat().st_mode & 0o777 == 0o600
    used = person.run("hub", "join", token, env={"DESCARTES_HOME": str(person.directory / "third")}, check=False)
    assert used.code == 5
    wait_until(lambda: _peer(person, "laptop/")["state"] == "Connected", "its daemon is connected, without a restart")
    enroll(person.run("hub", "enroll", "--name", "big").stdout.strip(), make_keys())
    assert "hub" in {remark["about"] for remark in person.run("doctor", "--json").json["remarks"]}
    # There it is a daemon that tells, and it has not heard of a runner yet that never came.
    assert person.run("runners", "list", "--json", env=there).json == {"runners": []}
    person.run("hub", "revoke", "laptop")
    doctor = wait_until(lambda: _errors(person, there), "its daemon is let in no more")
    assert "session mill" in doctor[0]["about"]
    end_everything(elsewhere)
    assert "hub has stopped" in person.run("supervisor", "stop").stdout


def test_in_the_foreground_it_ends_with_ctrl_c(person: Person) -> None:
    hub = person.start("hub", env={**os.environ, "DESCARTES_HUB__ENDPOINT": "tcp://127.0.0.1:*"})
    wait_until(lambda: person.run("hub", "status", "--json").json["running"], "it runs")
    assert person.run("hub", "start", "--json").json["pid"] == hub.pid
    hub.send_signal(signal.SIGINT)
    assert hub.wait(10) == 0
    assert not person.home.daemon_socket(HUB_ID).exists()


def _peer(person: Person, name: str) -> dict[str, Any]:
    rows = person.run("hub", "peers", "--json").json["peers"]
    return next((row for row in rows if row["name"].startswith(name)), {"state": None})


def _errors(person: Person, there: dict[str, str]) -> list[dict[str, Any]]:
    told = person.run("doctor", "--json", check=False, env=there).json["remarks"]
    return [remark for remark in told if remark["level"] == "error" and "hub" in remark["text"]]


def _runners(person: Person) -> list[tuple[str, list[str], str]]:
    rows = person.run("runners", "list", "--json").json["runners"]
    return [(row["name"], row["labels"], row["state"]) for row in rows]


def _other(person: Person, pid: int) -> dict[str, object] | None:
    told: dict[str, object] = person.run("hub", "status", "--json").json
    return told if told["running"] and told["pid"] != pid else None
