"""A group is one transaction, and a unit that is refused fails alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from descartes_core.agent_life import Cause, State
from descartes_core.errors import AgentNotFound, AlreadyExists, Conflict, DescartesError, IllegalTransition
from descartes_daemon.schema import open_writer
from descartes_daemon.unit import Unit
from descartes_daemon.writing import write
from tests.support.rows import NOW, added, an_agent, started, told


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_writer(tmp_path / "state.db")) as connection:
        yield connection
        assert not connection.in_transaction


def count(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_a_refused_unit_fails_alone_and_whole(database: sqlite3.Connection) -> None:
    stale = told("first").move("a", State.PAUSED, State.RUNNING, Cause.RESUME_ASKED, at=NOW)
    outcomes = write(database, [added(), stale, started(), told("last")])
    assert [type(outcome) for outcome in outcomes] == [list, IllegalTransition, list, list]
    assert str(outcomes[1]) == "agent a is initializing: resume is not possible now"
    assert count(database, "events") == count(database, "transitions") == 1


def test_a_refused_unit_leaves_no_hole_in_the_seqs(database: sqlite3.Connection) -> None:
    bad = told("b").note("late", None)  # type: ignore[arg-type]
    bad.events.append(bad.events[0])
    outcomes = write(
        database,
        [told("a"), Unit().event("AgentEvent", "x", None, {}, NOW).add_agent(an_agent(rows=None)), bad, told("c")],
    )
    seqs = [[event["seq"] for event in outcome] for outcome in outcomes if not isinstance(outcome, DescartesError)]
    assert seqs == [[1], [2]]


@pytest.mark.parametrize(
    ("unit", "kind", "message"),
    [
        (started("nobody"), AgentNotFound, "there is no agent nobody"),
        (added(), AlreadyExists, "agent a exists already"),
        (Unit().accept("r", "agent.spawn", NOW), Conflict, "request r was accepted before"),
        (Unit().note("word", "\udcff"), DescartesError, "the store refused it: .* surrogates"),
        (Unit().set_size("a", 2**70, 1), DescartesError, "the store refused it: .* too large"),
        (Unit().note("word", object()), DescartesError, "the store refused it: .* not supported"),  # type: ignore[arg-type]
        (Unit().typed("nobody", NOW, "c", 1), DescartesError, "the store refused it: FOREIGN KEY constraint failed"),
    ],
)
def test_why_a_unit_was_refused_is_told(
    database: sqlite3.Connection, unit: Unit, kind: type[DescartesError], message: str
) -> None:
    write(database, [added().accept("r", "agent.spawn", NOW)])
    (outcome,) = write(database, [unit])
    assert type(outcome) is kind
    with pytest.raises(kind, match=message):
        raise outcome
    assert outcome.__cause__ is not None


def test_a_full_disk_writes_nothing_of_the_group(database: sqlite3.Connection) -> None:
    write(database, [added()])
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    database.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        write(database, [started(), *(told("x", data="y" * 4000) for _ in range(9))])
    assert count(database, "events") == count(database, "transitions") == 0
    database.execute("PRAGMA max_page_count = 100000")
    assert write(database, [started()]) == [[]]
