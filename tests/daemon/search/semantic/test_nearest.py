"""Comparing is exact, whatever is mapped and whatever is read from the index; what goes is found no more."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_daemon.search.index_file import Index, Passage, Read, Source
from descartes_daemon.search.index_opening import NAME, open_reader
from descartes_daemon.search.semantic import vectors
from descartes_daemon.search.semantic.nearest import Nearest

SIZE = 16


def index_of(directory: Path, count: int, max_bytes: int = 1 << 30) -> Index:
    """Return an index with so many passages."""
    index = Index(directory, max_bytes)
    add(index, count)
    vectors.begin(index.connection, "one")
    return index


def add(index: Index, count: int) -> None:
    source = index.source("output", "agent", "stdout")
    begin = source.next
    passages = [Passage(begin + at, begin + at + 1, 1.0, f"word{at}") for at in range(count)]
    index.store(source, Read(passages, begin + count))


def filled(index: Index, dice: Any, most: int = 1 << 60) -> dict[int, Any]:
    """Give all passages that have none a vector, and return these as they are stored."""
    given = {}
    for number, block in enumerate(vectors.missing(index.connection)):
        if number == most:
            break
        rows = dice.normal(size=(block.length, SIZE)).astype(numpy.float32)
        rows /= numpy.linalg.norm(rows, axis=1, keepdims=True)
        vectors.store(index.connection, "one", block, rows)
        given |= dict(zip(block.ids.tolist(), rows.astype(numpy.float16).astype(numpy.float32), strict=True))
    return given


def by_force(given: dict[int, Any], vector: Any, most: int) -> list[int]:
    return sorted(given, key=lambda one: (-float(given[one] @ vector), -one))[:most]


@given(
    count=st.integers(0, 400),
    hot=st.integers(0, 400),
    more=st.integers(0, 200),
    seed=st.integers(0, 1000),
    only=st.booleans(),
)
def test_it_finds_what_brute_force_finds(
    tmp_path_factory: pytest.TempPathFactory, count: int, hot: int, more: int, seed: int, only: bool
) -> None:
    dice = numpy.random.default_rng(seed)
    directory = tmp_path_factory.mktemp("index")
    index = index_of(directory, count)
    nearest, reader = Nearest(directory, hot), open_reader(directory / NAME)
    given = filled(index, dice)
    for _ in range(2):
        vector = dice.normal(size=SIZE).astype(numpy.float32)
        allowed = numpy.array([one for one in given if one % 3 == 0], numpy.int64) if only else None
        found = nearest.find(reader, vector, 10, allowed)
        fitting = {one: row for one, row in given.items() if not only or one % 3 == 0}
        assert [near.passage for near in found] == by_force(fitting, vector, 10)
        assert nearest.hot + nearest.warm == len(given)
        add(index, more)
        given |= filled(index, dice)
    nearest.close()
    reader.close()
    index.close()
    assert not list(directory.glob("vectors.*"))


def test_the_newest_get_vectors_first_and_none_twice(tmp_path: Path) -> None:
    index = index_of(tmp_path, 300)
    dice = numpy.random.default_rng(1)
    first = filled(index, dice, most=1)
    assert sorted(first) == list(range(301 - vectors.BLOCK, 301))
    assert vectors.count_missing(index.connection) == 300 - vectors.BLOCK
    add(index, 10)
    assert next(vectors.missing(index.connection)) == vectors.Block(301, 10)
    filled(index, dice)
    assert vectors.count_missing(index.connection) == 0
    # Another process had begun with the same ones.
    vectors.store(index.connection, "one", vectors.Block(290, 20), numpy.ones((20, SIZE), numpy.float32))
    assert vectors.Block(290, 20) not in vectors.blocks(index.connection)
    index.close()


def test_vectors_go_with_their_volume(tmp_path: Path) -> None:
    index = index_of(tmp_path, 600, max_bytes=1024 * 1024)
    dice = numpy.random.default_rng(2)
    given = filled(index, dice)
    nearest, reader = Nearest(tmp_path), open_reader(tmp_path / NAME)
    vector = dice.normal(size=SIZE).astype(numpy.float32)
    assert [near.passage for near in nearest.find(reader, vector, 5)] == by_force(given, vector, 5)
    number, first, last = index.connection.execute("SELECT number, first, last FROM volumes").fetchone()
    index.connection.execute("DELETE FROM passages WHERE id BETWEEN ? AND ?", (first, last))
    index.connection.execute("DELETE FROM volumes WHERE number = ?", (number,))
    left = {one: row for one, row in given.items() if one > last}
    assert left
    assert [near.passage for near in nearest.find(reader, vector, 5)] == by_force(left, vector, 5)
    assert vectors.count_missing(index.connection) == 0
    nearest.close()
    reader.close()
    index.close()


def test_those_of_another_embedder_go(tmp_path: Path) -> None:
    index = index_of(tmp_path, 100)
    filled(index, numpy.random.default_rng(3))
    vectors.begin(index.connection, "one")
    assert vectors.count_missing(index.connection) == 0
    vectors.begin(index.connection, "another")
    assert (vectors.count_missing(index.connection), vectors.size_of(index.connection)) == (100, 0)
    # Who made them before comes too late.
    vectors.store(index.connection, "another", vectors.Block(1, 10), numpy.ones((10, SIZE), numpy.float32))
    vectors.store(index.connection, "one", vectors.Block(11, 10), numpy.ones((10, SIZE), numpy.float32))
    assert vectors.blocks(index.connection) == {vectors.Block(1, 10)}
    index.close()


def test_nothing_is_left_open_or_lying_about(tmp_path: Path) -> None:
    index = index_of(tmp_path, 100)
    dice = numpy.random.default_rng(4)
    filled(index, dice)
    before = len(os.listdir("/proc/self/fd"))
    nearest = Nearest(tmp_path)
    nearest.find(index.connection, dice.normal(size=SIZE).astype(numpy.float32), 5)
    nearest.close()
    assert len(os.listdir("/proc/self/fd")) == before
    assert {path.name.partition("-")[0] for path in tmp_path.iterdir()} == {"search.db"}
    index.close()


def test_a_source_is_read_as_it_was_stored(tmp_path: Path) -> None:
    index = index_of(tmp_path, 3)
    assert index.source("output", "agent", "stdout")._replace(id=0) == Source(0, "output", "agent", "stdout", 3, b"")
    index.close()
