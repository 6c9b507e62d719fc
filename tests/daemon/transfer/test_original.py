"""Both schemas of the original are taken in, whole and once; anything else is refused by name."""

from __future__ import annotations

import contextlib
import sqlite3
import tarfile
import threading
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import AlreadyExists, ArchiveInvalid, InvalidParams, NotFound, Refused
from descartes_core.ids import new_id
from descartes_daemon.transfer import original, taking
from descartes_daemon.transfer.original import moment
from tests.support.inside import Inside, open_inside

pytestmark = pytest.mark.anyio

STORE = """
    CREATE TABLE events (id TEXT PRIMARY KEY, event_type TEXT, timestamp INTEGER, session_id TEXT, actor_type TEXT,
        actor_id TEXT, content TEXT, metadata TEXT, git_commit TEXT, created_at TEXT);
    CREATE TABLE tasks (id TEXT PRIMARY KEY, title TEXT, description TEXT, status TEXT, priority TEXT DEFAULT 'medium',
        complexity TEXT DEFAULT 'moderate', assigned_to TEXT, dependencies TEXT DEFAULT '[]', created_at TEXT,
        updated_at TEXT, metadata TEXT, created_timestamp INTEGER);
    CREATE TABLE sessions (id TEXT PRIMARY KEY, agent_id TEXT, started_at TEXT, ended_at TEXT, status TEXT,
        metadata TEXT, created_at TEXT);
    CREATE TABLE migrations (version INTEGER, name TEXT UNIQUE);
    CREATE TABLE agent_states (key TEXT PRIMARY KEY, agent_id TEXT UNIQUE, name TEXT, status TEXT, metadata TEXT,
        state_data TEXT, version INTEGER, created_at TEXT, updated_at TEXT, is_deleted INTEGER DEFAULT 0);
    CREATE TABLE state_transitions (id TEXT, agent_id TEXT, state_before TEXT, state_after TEXT, reason TEXT,
        timestamp INTEGER, metadata TEXT);
    CREATE TABLE state_snapshots (id TEXT, agent_id TEXT, state_data TEXT, description TEXT, created_at INTEGER,
        expires_at INTEGER);
    CREATE TABLE task_dependencies (id TEXT, task_id TEXT, depends_on_task_id TEXT, created_at INTEGER);
    INSERT INTO migrations VALUES (1, 'agent_states');
    INSERT INTO sessions VALUES ('s', 'a', '', '', 'done', '', '');
    INSERT INTO tasks (id, title, status, priority, complexity, dependencies, created_at) VALUES
        ('one', 'First', 'done', 'high', 'trivial', '[]', '2025-11-01T00:00:00Z'),
        ('two', 'Second', 'InProgress', 'urgent', 'epic', '["one", "none"]', '2025-11-02 00:00:00'),
        ('three', 'Third', 'blocked', 'low', 'simple', 'x', 'y');
    INSERT INTO task_dependencies VALUES ('d', 'three', 'two', 1762000000), ('e', 'three', 'three', 1);
    INSERT INTO events VALUES
        ('e2', 'late', 1762000002, 's', 'Agent', 'a', 'later', '{"a": 1}', 'abc', ''),
        ('e1', 'early', 1762000001000, 's', 'User', 'me', 'first', NULL, NULL, '');
    INSERT INTO agent_states VALUES ('p:a', 'a', 'fixer', 'idle', '{}', '{"step": 3}', 7, '',
        '2025-11-03T00:00:00Z', 0);
    INSERT INTO agent_states VALUES ('p:b', 'b', 'gone', 'idle', '{}', '{}', 7, '', '', 1);
    INSERT INTO state_transitions VALUES ('t1', 'a', 'idle', 'running', 'asked', 1762000000, NULL),
        ('t2', 'a', 'running', 'idle', NULL, 1762000100, NULL);
    INSERT INTO state_snapshots VALUES ('n', 'a', '{"step": 1}', 'before', 1762000050, NULL);
"""
INIT = """
    CREATE TABLE events (id TEXT PRIMARY KEY, event_type TEXT NOT NULL, timestamp INTEGER NOT NULL,
        session_id TEXT NOT NULL, actor_type TEXT NOT NULL, actor_id TEXT NOT NULL, content TEXT NOT NULL,
        metadata TEXT, git_commit TEXT);
    CREATE TABLE tasks (id TEXT PRIMARY KEY, title TEXT NOT NULL, description TEXT, status TEXT NOT NULL,
        assigned_to TEXT, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, metadata TEXT);
    CREATE TABLE agents (id TEXT PRIMARY KEY, name TEXT NOT NULL, status TEXT NOT NULL, model_backend TEXT NOT NULL,
        started_at INTEGER NOT NULL, completed_at INTEGER, task TEXT NOT NULL, metadata TEXT);
    INSERT INTO tasks VALUES ('one', 'First', 'what it does', 'todo', 'me', 1762000000, 1762000001, '{"k": 1}');
    INSERT INTO agents VALUES ('a', 'fixer', 'Running', 'claude', 1762000000, NULL, 'fix it', NULL);
"""


def database(path: Path, script: str) -> Path:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
    return path


async def take(inside: Inside, path: Path, **how: Any) -> Any:
    return await inside.call("state.import", path=str(path), **how)


async def test_what_its_store_had_is_here(short: Path) -> None:
    async with open_inside(short) as inside:
        path = database(short / "old.db", STORE)
        before = path.read_bytes()
        reply = await take(inside, path)
        assert reply == {
            "path": str(path),
            "kind": "store",
            "tasks": 3,
            "events": 2,
            "changes": 5,
            "agents": 1,
            "left": ["sessions"],
        }
        assert path.read_bytes() == before
        tasks = {one["title"]: one for one in (await inside.call("task.list"))["tasks"]}
        assert {title: one["status"] for title, one in tasks.items()} == {
            "First": "done",
            "Second": "in-progress",
            "Third": "blocked",
        }
        assert [need.endswith("two") for need in tasks["Third"]["dependencies"]] == [True]
        events = (await inside.call("event.list"))["events"]
        told = [
            (one["data"]["content"], one["timestamp"][:19]) for one in events if one["event_type"] == "original_event"
        ]
        assert told == [("first", "2025-11-01T12:26:41"), ("later", "2025-11-01T12:26:42")]
        state = {one["key"]: one["value"] for one in (await inside.call("state.query", agent_id="a"))["state"]}
        assert state["status"] == "idle"
        assert state["state"] == {"step": 3}
        assert state["agent"]["name"] == "fixer"
        history = (await inside.call("state.transitions", agent_id="a", of="keys", cause="imported"))["transitions"]
        assert [(one["key"], one["at"][:10]) for one in history if one.get("key") == "state"] == [
            ("state", "2025-11-01"),
            ("state", "2025-11-03"),
        ]


async def test_what_init_made_is_here(short: Path) -> None:
    async with open_inside(short) as inside:
        reply = await take(inside, database(short / "old.db", INIT))
        assert (reply["kind"], reply["tasks"], reply["agents"], reply["left"]) == ("init", 1, 1, [])
        (about,) = (await inside.call("state.query", agent_id="a"))["state"]
        assert (about["key"], about["value"]["model_backend"], about["value"]["task"]) == ("agent", "claude", "fix it")


async def test_it_is_taken_in_once(short: Path) -> None:
    async with open_inside(short) as inside:
        path, request = database(short / "old.db", STORE), new_id()
        first = await take(inside, path, request_id=request)
        assert await take(inside, path, request_id=request) == first, "a repeat gets the same answer"
        with pytest.raises(AlreadyExists, match="taken in before"):
            await take(inside, path)
        with pytest.raises(AlreadyExists, match="id of a task"):
            await take(inside, database(short / "other.db", INIT))
        assert (await inside.call("state.query", agent_id="a"))["state"][0]["version"] == 1, "nothing of it was stored"


@pytest.mark.parametrize(
    ("why", "script"),
    [
        ("its tables are x", "CREATE TABLE x (y)"),
        ("its tables are none", ""),
        ("unfinished bus", "CREATE TABLE agents (id, name, status, zmq_address)"),
        ("its tables are events, tasks", "CREATE TABLE events (id); CREATE TABLE tasks (id)"),
    ],
)
async def test_anything_else_is_refused_by_name(short: Path, why: str, script: str) -> None:
    async with open_inside(short) as inside:
        with pytest.raises(ArchiveInvalid, match=why):
            await take(inside, database(short / "old.db", script))


async def test_what_is_ours_or_none_at_all_is_refused(short: Path) -> None:
    async with open_inside(short) as inside:
        with pytest.raises(Refused, match="sessions export"):
            await take(inside, Path(inside.daemon.store.path))
        (short / "x").write_bytes(b"no database" * 200)
        with pytest.raises(ArchiveInvalid, match="cannot be read"):
            await take(inside, short / "x")
        with pytest.raises(NotFound):
            await take(inside, short / "none")
        with pytest.raises(InvalidParams, match="path"):
            await inside.call("state.import", path="x")


async def test_one_row_that_has_no_place_keeps_all_out(short: Path) -> None:
    async with open_inside(short) as inside:
        path = database(
            short / "old.db", INIT + f"INSERT INTO tasks VALUES ('{'x' * 101}', 't', '', 'todo', '', 1, 1, '');"
        )
        with pytest.raises(ArchiveInvalid, match="a task has the id"):
            await take(inside, path)
        assert (await inside.call("task.list"))["tasks"] == []
        assert (await inside.call("state.query"))["state"] == []


async def test_what_is_no_json_is_text_and_what_is_long_is_cut(short: Path) -> None:
    async with open_inside(short) as inside:
        long = f"INSERT INTO events VALUES ('e', 'said', 1, 's', 'User', 'me', '{'x' * 9000}', 'NaN', NULL);"
        about = "INSERT INTO agents VALUES ('b', 'b', 'idle', 'm', 1, NULL, 't', '[NaN]');"
        await take(inside, database(short / "old.db", INIT + long + about))
        (event,) = [one for one in (await inside.call("event.list"))["events"] if one["event_type"] == "original_event"]
        assert event["data"]["metadata"] == "NaN"
        assert event["data"]["content"] == f"{'x' * 8192} … (9000 characters)"
        (kept,) = (await inside.call("state.query", agent_id="b"))["state"]
        assert kept["value"]["metadata"] == "[NaN]"


@pytest.mark.parametrize("bound", ["MOST_ROWS", "MOST_BYTES"])
async def test_too_much_is_refused_before_it_is_in_memory(
    short: Path, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(original, bound, 1)
    async with open_inside(short) as inside:
        with pytest.raises(ArchiveInvalid, match="make a copy"):
            await take(inside, database(short / "old.db", INIT))


async def test_the_loop_goes_on_while_it_is_read(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_inside(short) as inside:
        threads = []
        making = taking.events_into
        monkeypatch.setattr(
            taking, "events_into", lambda *given: threads.append(threading.current_thread()) or making(*given)
        )
        await take(inside, database(short / "old.db", INIT))
        assert threads
        assert threading.main_thread() not in threads


async def test_an_export_remembers_what_was_taken_in(short: Path) -> None:
    async with open_inside(short) as inside:
        await take(inside, database(short / "old.db", INIT))
        await inside.call("session.export", path=str(short / "x.tar"))
        with tarfile.open(short / "x.tar") as file, contextlib.closing(sqlite3.connect(":memory:")) as connection:
            connection.deserialize(file.extractfile("state.db").read())  # type: ignore[union-attr]
            words = [word for (word,) in connection.execute("SELECT key FROM meta")]
        assert [word.split()[0] for word in words] == ["original"]


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (1762000000, 1.762e9),
        (1762000000000, 1.762e9),
        ("2025-11-01T12:26:40Z", 1.762e9),
        ("2025-11-01 12:26:40", 1.762e9),
    ]
    + [(wrong, 5.0) for wrong in (None, "soon", -1, True, b"x", 10**30, float("nan"))],
)
def test_times_are_read_however_they_were_written(written: object, seconds: float) -> None:
    assert moment(written, 5.0) == seconds
