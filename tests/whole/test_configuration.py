"""Configuration as a person meets it: files, variables, refusals, what counts and from when on."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from descartes_local.run_file import read_run_files
from tests.support.person import Person
from tests.support.programs import installed
from tests.support.refusing import refused
from tests.support.serving import only_run


def configure(person: Person, text: str) -> Path:
    person.home.make()
    file = person.home.path / "config.toml"
    file.write_text(text)
    return file


def test_what_is_wrong_is_told_alike_whatever_starts(person: Person, shop: Path) -> None:
    file = configure(person, "[agents]\nrows = 0\n[supervisor]\nlingr = 1\n")
    words = (["sessions", "list"], ["sessions", "start", shop], ["spawn", shop, "--", "true"], ["config", "show"])
    told = {refused(person, 2, list(one), f"{file}:2: agents.rows: ", "lingr; allowed: ").stderr for one in words}
    command = [installed("descartes-daemon"), "--workdir", str(shop)]
    lone = subprocess.run(command, capture_output=True, text=True, timeout=40)
    assert lone.returncode == 2
    assert {lone.stderr.replace("descartes-daemon: ", "descartes: ")} == told
    assert read_run_files(person.home) == []
    assert not person.home.supervisor_socket.exists()
    assert not (shop / ".scud/session.json").exists()


def test_a_supervisor_does_not_begin_half_configured(person: Person, shop: Path) -> None:
    """Nor where somebody changed the file just after it was checked."""
    configure(person, "[supervisor]\ndeaths = 0\n")
    code = (
        "from descartes_local.home import find_home; from descartes_local.supervisor_client import ensure;"
        "ensure(find_home())"
    )
    python = Path(installed("descartes")).with_name("python")
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=40)
    assert "supervisor cannot be started" in done.stderr
    assert "supervisor.deaths" in (person.home.log / "supervisor.log").read_text()


def test_one_wrong_workspace_does_not_hide_the_others(person: Person, shop: Path) -> None:
    other = person.workspace("other")
    file = shop / ".scud/descartes.toml"
    file.write_text("[agents]\ncommand = ['rm', '-rf', '/']\n")
    listed = {one["name"]: one for one in person.run("sessions", "list", "--json").json["sessions"]}
    assert listed["other"]["notes"] == []
    assert any(f"{file}:2: agents.command may not be set" in note for note in listed["shop"]["notes"])
    refused(person, 2, ["sessions", "start", shop], f"{file}:2: agents.command may not be set")
    person.run("sessions", "start", other)
    file.write_text("[agents]\nrows = 33\n")
    agent = person.spawn(shop, ["stty", "size"])
    person.run("wait", agent["id"])
    assert person.run("logs", agent["id"]).stdout.startswith("33 ")


def test_variables_win_over_files_and_each_says_where_it_is_from(person: Person, shop: Path) -> None:
    file = configure(person, "[agents]\nrows = 30\ncols = 90\ncommand = ['x', '--token', 'hunter2']\n")
    ran = person.run("config", "show", shop, "--json", env={"DESCARTES_AGENTS__COLS": "99"})
    keys = {one["key"]: (one["value"], one["origin"]) for one in ran.json["keys"]}
    assert keys["agents.rows"] == (30, str(file))
    assert keys["agents.cols"] == (99, "environment variable DESCARTES_AGENTS__COLS")
    assert keys["agents.grace"] == (10.0, "default")
    assert keys["agents.command"] == (["x", "--token", "***"], str(file))
    assert {"path": str(file), "exists": True} in ran.json["files"]
    lines = person.run("config", "show").stdout.splitlines()
    assert lines[0].split() == ["KEY", "VALUE", "FROM"]
    assert len(lines) == len(keys) + 1


def test_a_change_is_pending_until_the_next_start(person: Person, shop: Path) -> None:
    file = configure(person, "[agents]\nrows = 30\n")
    person.run("sessions", "start", shop)
    assert "from the next start" not in person.run("sessions", "show", shop).stderr
    file.write_text("[agents]\nrows = 40\n")
    assert "counts from the next start on: agents.rows" in person.run("sessions", "show", shop).stderr
    assert "agents.rows" in person.run("config", "show", shop).stderr
    notes = person.run("sessions", "show", shop, "--json").json["notes"]
    assert len(notes) == 1
    file.write_text("[agents]\nrows = 0\n")
    assert "the next start will be refused" in person.run("sessions", "show", shop).stderr
    file.write_text("[agents]\nrows = 40\n")
    person.run("sessions", "stop", shop)
    person.run("sessions", "start", shop)
    assert person.run("sessions", "show", shop, "--json").json["notes"] == []


def test_an_example_is_written_once_and_says_nothing(person: Person, shop: Path) -> None:
    file = person.home.path / "config.toml"
    assert person.run("config", "init").stdout == f"{file}\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    before = file.read_bytes()
    refused(person, 5, ["config", "init"], f"{file} exists already")
    assert file.read_bytes() == before == person.run("config", "init", "--stdout").stdout.encode()
    assert "nothing is wrong" in person.run("config", "check", file).stdout
    person.run("sessions", "start", shop)


def test_a_file_is_checked_without_being_used(person: Person, shop: Path) -> None:
    file = person.directory / "new.toml"
    file.write_text("[agents]\nrows = 0\nrow = 1\n[log]\nlevel = 'loud'\n")
    ran = person.run("config", "check", file, check=False, env={"DESCARTES_NO__SUCH": "1"})
    assert (ran.code, ran.stdout) == (2, "")
    assert [line.split(" ")[1] for line in ran.stderr.splitlines()] == [f"{file}:{n}:" for n in (2, 3, 5)]
    assert len(person.run("config", "check", file, "--json", check=False).json["complaints"]) == 3
    assert person.run("config", "check", person.directory / "gone", check=False).code == 2
    inside = shop / ".scud/descartes.toml"
    inside.write_text("[server]\nhttp_port = 1\n")
    assert "may not be set by a file in a workspace" in person.run("config", "check", inside, check=False).stderr
    original = person.directory / "daemon.toml"
    original.write_text("[server]\nrequest_timeout_secs = 3\n[pool]\nmin_size = 1\n")
    ran = person.run("config", "check", original)
    assert "pool.min_size says nothing here" in ran.stderr


def test_the_log_is_as_configured(person: Person, shop: Path) -> None:
    (shop / "config.toml").unlink(missing_ok=True)
    configure(person, "[log]\nformat = 'json'\nlevel = 'debug'\n")
    person.run("spawn", shop, "--name", "fixer", "--wait", "--", "true")
    log = person.home.session(only_run(person.home).session_id) / "daemon.log"
    person.run("sessions", "stop", shop)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert any("fixer" in line["message"] and line["level"] == "info" for line in lines)
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)


def test_the_supervisors_section_counts_from_the_environment_too(person: Person, shop: Path) -> None:
    base = {"DESCARTES_SUPERVISOR__HTTP_BASE": "29000", "DESCARTES_SUPERVISOR__WS_BASE": "29200"}
    started = person.run("sessions", "start", shop, "--json", env=base).json
    assert 29_000 <= int(started["http_endpoint"].rpartition(":")[2]) < 29_200
