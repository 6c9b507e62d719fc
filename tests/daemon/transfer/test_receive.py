"""Rows that anybody may have written do nothing to this machine, and are ours or refused."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import ArchiveInvalid, SchemaTooNew
from descartes_daemon.schema import open_writer
from descartes_daemon.transfer.receive import receive
from descartes_daemon.unit import Unit
from descartes_daemon.writing import write
from descartes_local.processes import boot_id
from descartes_orchestrator.supervisor.start import python
from tests.support.rows import an_agent, told

ABOUT = {"exported_at": "2026-11-22T08:00:00Z", "session": {"id": "one"}, "made_by": "somebody"}
ID = "12345678-1234-1234-1234-123456789abc"

Harm = Callable[[sqlite3.Connection], Any]


def sql(*statements: str) -> Harm:
    """Return what does this to a database, whose rules do not hold meanwhile."""

    def harm(connection: sqlite3.Connection) -> None:
        rules = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in rules:
            connection.execute(f'DROP TRIGGER "{name}"')
        for statement in statements:
            connection.execute(statement)
        for _, rule in rules:
            connection.execute(rule)

    return harm


@pytest.fixture
def came(tmp_path: Path) -> Callable[..., Path]:
    """Give what makes a directory with a database as it came: one living agent, and what was done to it."""

    def make(*harms: Harm) -> Path:
        with contextlib.closing(open_writer(tmp_path / "made.db")) as connection:
            outcomes = write(connection, [Unit().add_agent(an_agent(ID)), told("spawned", ID)])
            assert all(isinstance(outcome, list) for outcome in outcomes)
            for harm in harms:
                harm(connection)
            connection.execute("PRAGMA journal_mode = DELETE")
        directory = tmp_path / "directory"
        directory.mkdir()
        shutil.move(tmp_path / "made.db", directory / "incoming.db")
        return directory

    return make


def rows(directory: Path, query: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(directory / "state.db")) as connection:
        return connection.execute(query).fetchall()


def test_who_lived_is_lost_and_failed_and_that_is_told(came: Callable[..., Path]) -> None:
    directory = came()
    assert [one["id"] for one in receive(directory, ABOUT)["lost"]] == [ID]
    assert rows(directory, "SELECT state FROM agents") == [("failed",)]
    assert [cause for (cause,) in rows(directory, "SELECT cause FROM transitions ORDER BY id")] == [
        "host_gone",
        "given_up",
    ]
    assert rows(directory, "SELECT event_type FROM events ORDER BY seq") == [
        ("spawned",),
        ("status_changed",),
        ("failed",),
        ("session_imported",),
    ]
    (data,) = rows(directory, "SELECT data FROM events ORDER BY seq DESC LIMIT 1")[0]
    assert json.loads(data)["from_session"] == "one"
    assert sorted(os.listdir(directory)) == ["state.db"]


def test_no_process_group_or_machine_is_believed(came: Callable[..., Path]) -> None:
    boot = boot_id()
    directory = came(
        sql(
            f"UPDATE agents SET pid = 1, process_started = 1, boot_id = '{boot}'",
            "UPDATE agents SET cgroup = '/sys/fs/cgroup', host = 'x', host_key = 'x', owner = 'x'",
            f"INSERT INTO remains VALUES ('{ID}', 1, 1, 0)",
            "INSERT INTO meta VALUES ('starts', '9')",
            "INSERT INTO requests (id, method, accepted_at) VALUES ('1', 'x', 0)",
        )
    )
    receive(directory, ABOUT)
    found = rows(directory, "SELECT pid, process_started, boot_id, cgroup, host, host_key, owner FROM agents")
    assert found == [(None,) * 7]
    for table in ("remains", "meta", "requests", "hooks"):
        assert rows(directory, f"SELECT * FROM {table}") == []


def test_the_copy_is_bound_by_its_rules(came: Callable[..., Path]) -> None:
    directory = came()
    receive(directory, ABOUT)
    with pytest.raises(sqlite3.IntegrityError, match="moves by a transition"):
        rows(directory, "UPDATE agents SET state = 'running'")


@pytest.mark.parametrize(
    ("why", "harm"),
    [
        (
            "another schema",
            lambda c: c.execute("CREATE TRIGGER x AFTER INSERT ON events BEGIN DELETE FROM inputs; END"),
        ),
        ("another schema", lambda c: c.execute("CREATE VIEW x AS SELECT 1")),
        ("another schema", lambda c: c.execute("DROP TRIGGER event_changes")),
        ("another schema", lambda c: c.execute("ALTER TABLE agents ADD COLUMN more TEXT")),
        ("none of Descartes", lambda c: c.execute("PRAGMA application_id = 1")),
        ("none of Descartes", lambda c: c.execute("PRAGMA user_version = 0")),
        ("no agent's id", sql("UPDATE agents SET id = '../../../etc'")),
        (
            "belongs to nothing",
            sql("PRAGMA foreign_keys = OFF", "INSERT INTO inputs (agent, at, client, length) VALUES ('x', 1, 'x', 1)"),
        ),
        ("not what they must be", sql("PRAGMA ignore_check_constraints = ON", "UPDATE agents SET state = 'alive'")),
        ("not what they must be|damaged", sql("PRAGMA ignore_check_constraints = ON", "UPDATE events SET data = '[]'")),
    ],
)
def test_what_is_not_ours_is_refused(came: Callable[..., Path], why: str, harm: Harm) -> None:
    with pytest.raises(ArchiveInvalid, match=why):
        receive(came(harm), ABOUT)


@pytest.mark.parametrize(
    ("why", "harm"),
    [
        ("at of events", "UPDATE events SET at = 9e999"),
        ("created_at of agents", "UPDATE agents SET created_at = 1e300"),
        ("created_at of agents", "UPDATE agents SET created_at = -1"),
        ("terminal's rows", "UPDATE agents SET rows = 2000000000"),
        ("terminal's cols", "UPDATE agents SET cols = 0"),
        ("errors_from", "UPDATE agents SET errors_from = -5"),
        ("seq of events", "UPDATE events SET seq = 9223372036854775800"),
        ("where its events begin", "INSERT INTO meta VALUES ('events_gone_to', 'soon')"),
    ],
)
def test_numbers_that_nobody_could_go_on_with_are_refused(came: Callable[..., Path], why: str, harm: str) -> None:
    """Each fits the schema; the session would never list an event again, or take all memory for one screen."""
    with pytest.raises(ArchiveInvalid, match=why):
        receive(came(sql(harm)), ABOUT)


def test_a_newer_one_is_named(came: Callable[..., Path]) -> None:
    with pytest.raises(SchemaTooNew, match="99"):
        receive(came(lambda c: c.execute("PRAGMA user_version = 99")), ABOUT)


def test_a_damaged_one_is_refused(came: Callable[..., Path]) -> None:
    directory = came()
    with (directory / "incoming.db").open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(30_000))
    with pytest.raises(ArchiveInvalid):
        receive(directory, ABOUT)
    (directory / "state.db").unlink(missing_ok=True)
    (directory / "incoming.db").write_bytes(b"no database" * 100)
    with pytest.raises(ArchiveInvalid):
        receive(directory, ABOUT)


def test_output_of_nobody_is_refused(came: Callable[..., Path]) -> None:
    directory = came()
    (directory / "agents" / ID.replace("1", "2")).mkdir(parents=True)
    with pytest.raises(ArchiveInvalid, match="no row knows"):
        receive(directory, ABOUT)


def test_the_program_says_what_became_of_it(came: Callable[..., Path]) -> None:
    command = [*python("descartes_daemon.transfer.receive"), str(came())]
    done = subprocess.run(command, input=json.dumps(ABOUT), capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["agents"] == 1
    again = subprocess.run(command, input=json.dumps(ABOUT), capture_output=True, text=True, check=True)
    assert "error" in json.loads(again.stdout)
