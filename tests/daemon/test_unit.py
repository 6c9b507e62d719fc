"""A unit collects writes, and does nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from descartes_core.agent_life import Cause, State
from descartes_core.messages.events import Event
from descartes_daemon.schema import open_writer
from descartes_daemon.sql import QUERIES
from descartes_daemon.unit import Unit
from tests.support.rows import NOW, an_agent


def test_verbs_read_as_one_sentence() -> None:
    unit = Unit().add_agent(an_agent()).accept("r", "agent.spawn", NOW).event("AgentEvent", "spawned", "a", {}, NOW)
    assert [query for query, _ in unit.statements] == [QUERIES["add_agent"], QUERIES["accept"]]
    assert [event.event_type for event in unit.events] == ["spawned"]


def test_an_event_is_told_as_every_door_tells_it() -> None:
    (event,) = Unit().event("AgentEvent", "started", "a", {"pid": 7}, NOW).events
    told = Event.model_validate(event.told(3))
    assert (told.seq, told.event_type, told.agent_id, told.data) == (3, "started", "a", {"pid": 7})
    assert told.timestamp == "2023-11-14T22:13:20.250000Z"


def test_an_event_keeps_what_was_said_then() -> None:
    data = {"pid": 7}
    unit = Unit().event("AgentEvent", "started", "a", data, NOW)
    data["pid"] = 8
    assert unit.events[0].data == {"pid": 7}


def test_an_event_that_is_no_json_is_the_callers_fault() -> None:
    with pytest.raises(TypeError):
        Unit().event("AgentEvent", "started", "a", {"pid": object()}, NOW).events[0].as_params()


def test_every_verb_is_understood_by_the_database(tmp_path: Path) -> None:
    unit = (
        Unit()
        .add_agent(an_agent())
        .move("a", State.INITIALIZING, State.RUNNING, Cause.SPAWNED, evidence="seen", at=NOW, request_id="r")
        .set_process("a", 7, 8, "boot")
        .set_started("a", NOW)
        .set_ended("a", NOW, 3, None)
        .set_size("a", 50, 100)
        .accept("r", "agent.spawn", NOW)
        .answer("r", {"done": True}, NOW)
        .answer("r", {"done": "again"}, NOW)
        .typed("a", NOW, "unix 1", 4)
        .remain("a", 9, 10, NOW)
        .remain("a", 9, 10, NOW + 1)
        .remain("a", 11, 12, None)
        .remain_gone("a", 11, 12)
        .note("boot", "one")
        .note("boot", "two")
    )
    with closing(open_writer(tmp_path / "state.db")) as connection:
        do(connection, unit)
        assert rows(connection, "reply_of", id="r") == [("agent.spawn", '{"done": true}')]
        assert rows(connection, "remains") == [("a", 9, 10, NOW + 1)]
        assert rows(connection, "noted", key="boot") == [("two",)]
        assert rows(connection, "inputs", agent="a", limit=9) == [(NOW, "unix 1", 4)]
        do(connection, Unit().prune_requests(NOW + 1))
        assert rows(connection, "reply_of", id="r") == []


def do(connection: sqlite3.Connection, unit: Unit) -> None:
    for query, params in unit.statements:
        connection.execute(query, params)


def rows(connection: sqlite3.Connection, query: str, **params: object) -> list[tuple[object, ...]]:
    return [tuple(row) for row in connection.execute(QUERIES[query], params)]
