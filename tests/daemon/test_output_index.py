"""When what came is found again, also after a crash, and in an index full of garbage."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_daemon.output_index import RECORD, IndexWriter, OutputIndex, Record, parse


def index_of(path: Path, records: list[Record], garbage: dict[int, bytes] | None = None) -> OutputIndex:
    """Write these records, and garbage in place of some."""
    pieces = [record.as_bytes() for record in records]
    for place, junk in (garbage or {}).items():
        if place < len(pieces):
            pieces[place] = junk.ljust(RECORD, b"\0")[:RECORD]
    path.write_bytes(b"".join(pieces))
    return OutputIndex(path)


def growing(count: int) -> list[Record]:
    """Return records of a log that got ten bytes each second."""
    return [Record(1000.0 + number, number * 10, 24, 80) for number in range(count)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "output.idx"


def test_an_index_that_is_not_there_knows_nothing(path: Path) -> None:
    index = OutputIndex(path)
    assert (index.offset_since(0), index.records(0, 100, 10)) == (None, [])


def test_what_was_said_since_a_moment_is_found(path: Path) -> None:
    index = index_of(path, growing(1000))
    assert [index.offset_since(at) for at in (0, 1000, 1000.5, 1001, 1500, 1999)] == [0, 0, 0, 0, 4990, 9980]
    assert index.offset_since(1999.5) is None


def test_the_times_of_a_piece_of_output(path: Path) -> None:
    index = index_of(path, growing(1000))
    assert [record.offset for record in index.records(25, 45, 100)] == [20, 30, 40, 50]
    assert [record.offset for record in index.records(20, 40, 100)] == [20, 30, 40]
    assert [record.offset for record in index.records(0, 10_000, 3)] == [0, 10, 20]
    assert [record.offset for record in index.records(9990, 9990, 3)] == [9990]


def test_a_new_size_holds_from_its_offset_on(path: Path) -> None:
    records = [Record(1.0, 0, 24, 80), Record(2.0, 10, 24, 80), Record(3.0, 10, 40, 120), Record(4.0, 20, 40, 120)]
    index = index_of(path, records)
    assert index.records(0, 20, 9) == records
    assert index.records(10, 20, 9) == records[2:]


def test_many_small_pieces_are_few_records(path: Path) -> None:
    writer = IndexWriter(path, 24, 80)
    for size in range(1, 10_001):
        writer.note(size)
    writer.close()
    records = OutputIndex(path).records(0, 10_000, 100_000)
    assert len(records) < 1000
    assert records[-1].offset == 10_000


def test_an_agent_that_always_says_a_little_fills_no_disk_with_times(path: Path) -> None:
    """A line each hundredth of a second: 200 MB of times a day, beside as many of what was said."""
    path.write_bytes(b"".join(record.as_bytes() for record in growing(60_000)))
    writer, size = IndexWriter(path, 24, 80), 600_000
    began = path.stat().st_size
    ends = time.monotonic() + 1.3
    while time.monotonic() < ends:
        size += 1
        writer.note(size)
        assert OutputIndex(path, writer.waiting).records(size - 1, size, 9)[-1].offset == size
    began_at = time.time()
    writer.note(size + 1)
    asked = OutputIndex(path, writer.waiting)
    assert asked.offset_since(began_at) in range(600_000, size + 1)
    assert asked.offset_since(time.time() + 1) is None
    writer.close()
    assert path.stat().st_size - began <= 10 * RECORD
    assert OutputIndex(path).records(size, size + 1, 9)[-1].offset == size + 1


def test_what_is_torn_at_the_end_is_written_over(path: Path) -> None:
    index_of(path, growing(3))
    with path.open("ab") as file:
        file.write(b"torn")
    writer = IndexWriter(path, 24, 80)
    writer.note(77)
    writer.close()
    assert [record.offset for record in OutputIndex(path).records(0, 1000, 100)] == [0, 10, 20, 77]


def test_a_full_disk_makes_it_lag_only(path: Path) -> None:
    writer = IndexWriter(path, 24, 80)
    real, writer._descriptor = writer._descriptor, os.open("/dev/full", os.O_RDWR)
    writer.resized(5, 30, 90)
    os.close(writer._descriptor)
    writer._descriptor = real
    writer.resized(9, 30, 90)
    writer.close()
    assert [record.offset for record in OutputIndex(path).records(0, 9, 10)] == [9]


def test_what_is_no_file_is_left_alone(path: Path) -> None:
    path.mkdir()
    writer = IndexWriter(path, 24, 80)
    writer.note(5)
    writer.resized(5, 30, 90)
    writer.close()
    assert OutputIndex(path).records(0, 5, 10) == []


def test_a_punched_front_is_passed_over(path: Path) -> None:
    records = growing(2000)
    index = index_of(path, records, dict.fromkeys(range(1200), b""))
    assert index.records(0, 20_000, 10_000) == records[1200:]
    assert index.offset_since(0) == 0  # its log says where it begins
    assert index.offset_since(2500) == 14_990


def test_what_tells_of_dropped_output_only_may_go_too(path: Path) -> None:
    records = growing(2000)
    index = index_of(path, records)
    assert [index.end_before(begin) for begin in (0, 2000, 6000, 19_000)] == [0, 0, 256 * RECORD, 6 * 256 * RECORD]
    assert index.end_before(100_000) == 0
    with path.open("r+b") as file:
        file.write(b"\0" * index.end_before(19_000))
    assert index.records(19_000, 19_020, 9) == records[1900:1903]


@given(st.binary(max_size=500))
def test_garbage_is_no_record(data: bytes) -> None:
    for record in parse(data):
        assert record.as_bytes() in data


_GARBAGE = st.dictionaries(st.integers(0, 699), st.binary(max_size=RECORD), max_size=40)


@given(garbage=_GARBAGE, torn=st.integers(0, RECORD), since=st.integers(900, 1800), begin=st.integers(0, 8000))
def test_garbage_in_between_harms_no_other_record(
    tmp_path_factory: pytest.TempPathFactory, garbage: dict[int, bytes], torn: int, since: int, begin: int
) -> None:
    records = growing(700)
    index = index_of(tmp_path_factory.getbasetemp() / "garbage.idx", records, garbage)
    os.truncate(index._path, 700 * RECORD - torn)
    good = [record for place, record in enumerate(records) if place not in garbage and place < 700 - (torn > 0)]
    after = [place for place, record in enumerate(good) if record.at >= since]
    wanted = None if not after else good[after[0] - 1].offset if after[0] else 0
    assert index.offset_since(since) == wanted
    before = [record for record in good if record.offset <= begin]
    behind = [record for record in good if record.offset > begin]
    upto = next((place for place, record in enumerate(behind) if record.offset >= begin + 100), len(behind)) + 1
    assert index.records(begin, begin + 100, 10_000) == before[-1:] + behind[:upto]


@given(st.lists(st.builds(Record, st.floats(0, 2e9), st.integers(0, 2**60), st.just(24), st.just(80)), max_size=600))
def test_times_and_offsets_of_any_kind_lead_nowhere_else(
    tmp_path_factory: pytest.TempPathFactory, records: list[Record]
) -> None:
    """A clock was set back, or the index is another log's: the answer is of no use, but it is one."""
    index = index_of(tmp_path_factory.getbasetemp() / "any.idx", records)
    found = index.records(1000, 2**60, 1000)
    assert [record.offset for record in found] == sorted(record.offset for record in found)
    assert index.offset_since(1e9) in {None, 0, *(record.offset for record in records)}
