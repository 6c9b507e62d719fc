"""The database guards its own history, and its schema."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descartes_core.agent_life import Cause, State
from descartes_core.errors import SchemaTooNew, Unavailable
from descartes_daemon.schema import migrate, open_reader, open_writer, schema_of
from descartes_daemon.sql import MIGRATIONS, QUERIES, statements
from descartes_daemon.unit import Unit
from tests.support.rows import added, started, told

INSERT_AGENT = QUERIES["add_agent"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def database(path: Path) -> Iterator[sqlite3.Connection]:
    """Two agents, a running and an initializing one, and an event."""
    with closing(open_writer(path)) as connection:
        run(connection, added("a"), started("a"), added("b"))
        connection.execute(QUERIES["tell"], told("started").events[0].as_params())
        yield connection
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def run(connection: sqlite3.Connection, *units: Unit) -> None:
    for unit in units:
        for query, params in unit.statements:
            connection.execute(query, params)


def everything(connection: sqlite3.Connection) -> list[list[tuple[object, ...]]]:
    return [
        [tuple(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY 1")]
        for table in ("agents", "transitions", "events")
    ]


def state_of(connection: sqlite3.Connection, agent: str) -> str:
    return str(connection.execute(QUERIES["state_of"], {"id": agent}).fetchone()["state"])


def copied(verb: str, into: str, changes: str) -> str:
    """Return SQL that writes a row of a table again, somewhat changed."""
    return f"{verb} INTO {into} SELECT {changes} FROM {into} LIMIT 1"


AGENT_AGAIN = (
    "id, name, 'initializing', command, cwd, rows, cols, grace, stop_signal, leave, umask, created_at,"
    " pid, process_started, boot_id, started_at, ended_at, exit_code, signal, NULL, NULL, NULL,"
    " tty, output_from, errors_from, collected_at, stop_grace, limits, limited_by, cgroup, ended_by,"
    " usage, host, host_key, owner, task"
)
MOVE = "INTO transitions (agent, was, became, cause, at)"
NUMBERED = "INTO transitions (id, agent, was, became, cause, at)"


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE agents SET state = 'completed' WHERE id = 'a'",
        "UPDATE OR REPLACE agents SET state = 'completed' WHERE id = 'a'",
        "UPDATE OR IGNORE agents SET state = 'completed', cause = 'ended_well' WHERE id = 'a'",
        "UPDATE OR FAIL agents SET state = 'completed'",
        "UPDATE agents SET cause = 'kill_asked' WHERE id = 'a'",
        "UPDATE agents SET evidence = 'none' WHERE id = 'a'",
        "UPDATE agents SET moved = NULL",
        "UPDATE agents SET moved = moved WHERE id = 'a'",
        # A row of the history that was used already, and another agent's.
        "UPDATE agents SET state = 'running', cause = 'spawned', moved = 1 WHERE id = 'a'",
        "UPDATE agents SET state = 'running', cause = 'spawned', moved = 1 WHERE id = 'b'",
        "UPDATE agents SET id = 'c' WHERE id = 'a'",
        "UPDATE OR REPLACE agents SET id = 'a' WHERE id = 'b'",
        "DELETE FROM agents WHERE id = 'b'",
        "DELETE FROM agents",
        copied("INSERT OR REPLACE", "agents", AGENT_AGAIN),
        copied("REPLACE", "agents", AGENT_AGAIN),
        f"INSERT INTO agents SELECT {AGENT_AGAIN} FROM agents WHERE true ON CONFLICT DO UPDATE SET state = 'completed'",
        copied("INSERT", "agents", AGENT_AGAIN.replace("id,", "'c',", 1).replace("'initializing'", "'running'")),
        copied("INSERT", "agents", AGENT_AGAIN.replace("id,", "'c',", 1).replace("NULL, NULL, NULL", "NULL, NULL, 1")),
        "UPDATE transitions SET became = 'paused'",
        "UPDATE OR REPLACE transitions SET id = 7",
        "DELETE FROM transitions",
        "REPLACE INTO transitions SELECT * FROM transitions",
        f"INSERT OR REPLACE {NUMBERED} VALUES (1, 'a', 'running', 'paused', 'x', 0)",
        f"INSERT {NUMBERED} VALUES (-1, 'a', 'running', 'paused', 'x', 0)",
        f"INSERT {MOVE} VALUES ('a', 'initializing', 'running', 'spawned', 0)",
        f"INSERT OR FAIL {MOVE} VALUES ('a', 'initializing', 'running', 'spawned', 0)",
        f"INSERT OR IGNORE {MOVE} VALUES ('a', 'paused', 'running', 'resume_asked', 0)",
        f"INSERT OR REPLACE {MOVE} VALUES ('a', 'paused', 'running', 'resume_asked', 0)",
        f"INSERT OR IGNORE {MOVE} VALUES ('a', 'running', 'dancing', 'spawned', 0)",
        f"INSERT OR REPLACE {MOVE} VALUES ('a', 'running', 'dancing', 'spawned', 0)",
        f"INSERT {MOVE} VALUES ('nobody', 'running', 'paused', 'pause_asked', 0)",
        f"INSERT {MOVE} VALUES ('a', 'running', 'paused', NULL, 0)",
        f"INSERT OR IGNORE {MOVE} VALUES ('a', 'running', NULL, 'pause_asked', 0)",
        "UPDATE events SET data = '{}'",
        "DELETE FROM events",
        "REPLACE INTO events SELECT * FROM events",
    ],
)
@pytest.mark.parametrize("recursive", ["OFF", "ON"])
def test_no_statement_moves_an_agent_or_changes_the_past(
    database: sqlite3.Connection, attack: str, recursive: str
) -> None:
    before = everything(database)
    database.execute(f"PRAGMA recursive_triggers = {recursive}")
    try:
        database.execute(attack)
    except sqlite3.IntegrityError:
        pass
    else:
        assert "OR IGNORE" in attack
    assert everything(database) == before


def test_a_move_is_a_row_in_the_history(database: sqlite3.Connection) -> None:
    row = database.execute(QUERIES["agent"], {"id": "a"}).fetchone()
    (move,) = database.execute(QUERIES["transitions"], {"agent": "a"}).fetchall()
    assert (row["state"], row["cause"], row["evidence"], row["moved"]) == ("running", "spawned", None, move["id"])
    assert (move["was"], move["became"]) == ("initializing", "running")


def test_facts_beside_the_state_can_be_written(database: sqlite3.Connection) -> None:
    run(database, Unit().set_process("a", 7, 8, "boot").set_started("a", 1.0).set_ended("a", 2.0, None, "SIGKILL"))
    run(database, Unit().set_size("a", 50, 100))
    row = database.execute(QUERIES["agent"], {"id": "a"}).fetchone()
    assert (row["pid"], row["process_started"], row["boot_id"], row["signal"], row["cols"]) == (
        7,
        8,
        "boot",
        "SIGKILL",
        100,
    )


@given(st.lists(st.tuples(st.sampled_from(State), st.sampled_from(State), st.sampled_from(Cause)), max_size=30))
@settings(max_examples=50, deadline=None)
def test_any_moves_keep_the_agent_and_its_history_together(moves: list[tuple[State, State, Cause]]) -> None:
    with tempfile.TemporaryDirectory() as directory, closing(open_writer(Path(directory) / "state.db")) as connection:
        run(connection, added("a"))
        state, history = State.INITIALIZING, []
        for was, became, cause in moves:
            move = Unit().move("a", was, became, cause, at=0.0)
            if was is state:
                run(connection, move)
                state = became
                history.append((str(was), str(became), str(cause)))
            else:
                with pytest.raises(sqlite3.IntegrityError, match="stale state"):
                    run(connection, move)
            assert state_of(connection, "a") == state
        found = connection.execute(QUERIES["transitions"], {"agent": "a"}).fetchall()
        assert [(row["was"], row["became"], row["cause"]) for row in found] == history


def test_the_schema_lists_the_states_of_the_table_of_lives() -> None:
    (listed,) = re.findall(r"CHECK \(state IN \((.*?)\)\)", MIGRATIONS[0][1], re.DOTALL)
    assert set(re.findall(r"'(\w+)'", listed)) == set(State)


def test_migrations_are_numbered_without_a_hole() -> None:
    numbers = [number for number, _ in MIGRATIONS]
    assert numbers == sorted(set(numbers))


def test_a_script_is_split_into_whole_statements() -> None:
    trigger = "CREATE TRIGGER t AFTER INSERT ON a\nBEGIN\n    SELECT 1;\n    SELECT 2;\nEND;\n"
    assert list(statements(f"SELECT 1;\n{trigger}SELECT 3")) == ["SELECT 1;\n", trigger, "SELECT 3"]


def test_opening_twice_changes_nothing(path: Path) -> None:
    for _ in range(2):
        with closing(open_writer(path)) as connection:
            assert schema_of(connection) == MIGRATIONS[-1][0]
            assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
            assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2
            assert connection.execute("PRAGMA foreign_keys").fetchone()[0] == 1
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_new_database_is_what_the_migrations_make_of_an_empty_one(path: Path) -> None:
    """It is written as bytes that were made before; a file that is there and empty is migrated."""
    path.touch()
    other = path.with_name("new.db")
    with closing(open_writer(path)) as migrated, closing(open_writer(other)) as written:
        everything_of = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name"
        assert list(map(tuple, written.execute(everything_of))) == list(map(tuple, migrated.execute(everything_of)))
        for pragma in ("application_id", "user_version", "journal_mode", "page_size", "auto_vacuum", "encoding"):
            told = [one.execute(f"PRAGMA {pragma}").fetchone()[0] for one in (written, migrated)]
            assert told[0] == told[1], pragma
        run(written, added("a"))
        assert written.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["new.db", "state.db"]


def test_where_a_file_cannot_be_linked_a_new_database_is_made_by_sqlite(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    with closing(open_writer(path)) as connection:
        assert schema_of(connection) == MIGRATIONS[-1][0]
    assert [entry.name for entry in path.parent.iterdir()] == ["state.db"]


def test_many_processes_migrate_at_once(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from descartes_daemon.schema import open_writer;"
        " print('ready', flush=True); sys.stdin.readline(); open_writer(Path(sys.argv[1])).close()"
    )
    command = [sys.executable, "-c", code, str(path)]
    openers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    for opener in openers:
        assert opener.stdout
        assert opener.stdout.readline() == "ready\n"
    for opener in openers:
        assert opener.stdin
        opener.stdin.write("go\n")
        opener.stdin.flush()
    for opener in openers:
        opener.communicate()
    assert [opener.returncode for opener in openers] == [0] * 6
    with closing(open_writer(path)) as connection:
        assert schema_of(connection) == MIGRATIONS[-1][0]
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_a_migration_that_fails_leaves_the_schema_as_it_was(database: sqlite3.Connection) -> None:
    version, tables = schema_of(database), database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    bad = (version + 1, "CREATE TABLE half (x);\nSELECT * FROM nothing;\n")
    with pytest.raises(sqlite3.OperationalError):
        migrate(database, [*MIGRATIONS, bad])
    assert schema_of(database) == version
    assert database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == tables


@pytest.mark.parametrize("in_wal", [False, True])
def test_a_newer_schema_is_refused_and_left_alone(path: Path, in_wal: bool) -> None:
    with closing(open_writer(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
        if in_wal:  # what a kill -9 leaves: the number stands in the write-ahead log only
            files = {file: file.read_bytes() for file in (path, path.with_name("state.db-wal"))}
    if in_wal:
        for file, content in files.items():
            file.write_bytes(content)
    before = contents(path.parent)
    with pytest.raises(SchemaTooNew, match=re.escape(str(path))):
        open_writer(path)
    after = contents(path.parent)
    assert {name: after[name] for name in before} == before


def contents(directory: Path) -> dict[str, bytes]:
    """Return what the files hold (but the shared memory, which any reader may make)."""
    return {file.name: file.read_bytes() for file in directory.iterdir() if not file.name.endswith("-shm")}


def test_somebody_elses_database_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
        connection.commit()
    before = path.read_bytes()
    with pytest.raises(Unavailable, match="not a database of Descartes"):
        open_writer(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"this is no database at all, but a letter\n" * 50, b"SQLite format 3\x00" + b"\xff" * 4000]
)
def test_a_broken_file_is_named_and_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(Unavailable, match=re.escape(str(path))):
        open_writer(path)
    assert path.read_bytes() == content


def test_a_place_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no" / "state.db"):
        with pytest.raises(Unavailable, match=re.escape(str(path))):
            open_writer(path)


def test_a_reader_cannot_write(database: sqlite3.Connection, path: Path) -> None:
    with closing(open_reader(path)) as reader, pytest.raises(sqlite3.OperationalError, match="readonly"):
        run(reader, added("c"))
    assert state_of(database, "b") == "initializing"
