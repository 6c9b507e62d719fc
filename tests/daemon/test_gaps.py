"""A gap is written down, also on the full disk that made it."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from descartes_daemon.gaps import FULL_DISK, Gap, Gaps, parse


def test_nothing_is_missing_where_nothing_was_written_down(tmp_path: Path) -> None:
    gaps = Gaps(tmp_path / "nobody" / "output.gaps")
    assert (gaps.at(0), gaps.next_after(0), gaps.bytes_between(0, 9), gaps.end) == (None, None, 0, 0)


def test_gaps_are_found_from_any_offset(tmp_path: Path) -> None:
    gaps = Gaps(tmp_path / "output.gaps")
    gaps.open()
    gaps.put(10, 15)
    gaps.put(10, 20)
    gaps.put(50, 60)
    assert [gaps.at(offset) for offset in (9, 10, 19, 20)] == [
        None,
        Gap(10, 20, FULL_DISK),
        Gap(19, 20, FULL_DISK),
        None,
    ]
    assert [gaps.next_after(offset) for offset in (0, 10, 11, 50, 51)] == [10, 10, 50, 50, None]
    assert [gaps.bytes_between(offset, 58) for offset in (0, 15, 30, 55, 60)] == [18, 13, 8, 3, 0]
    gaps.close()
    again = Gaps(tmp_path / "output.gaps")
    assert (again.at(10), again.end) == (Gap(10, 20, FULL_DISK), 60)


def test_room_for_them_is_set_aside_and_given_back(tmp_path: Path) -> None:
    gaps = Gaps(tmp_path / "output.gaps")
    gaps.open()
    assert (tmp_path / "output.gaps").stat().st_blocks > 0
    gaps.put(1, 2)
    gaps.close()
    assert (tmp_path / "output.gaps").stat().st_size == 20


def test_what_cannot_be_written_down_is_no_gap(tmp_path: Path) -> None:
    gaps = Gaps(tmp_path / "output.gaps")
    gaps.open()
    assert gaps.put(5, 7)
    real, gaps._descriptor = gaps._descriptor, os.open("/dev/full", os.O_RDWR)
    assert not gaps.put(5, 9)
    assert not gaps.put(20, 30)
    assert gaps.all == [(5, 7)]
    os.close(gaps._descriptor)
    gaps._descriptor = real
    assert gaps.put(5, 9)
    gaps.close()
    assert Gaps(tmp_path / "output.gaps").at(5) == Gap(5, 9, FULL_DISK)


def test_a_file_that_could_not_be_made_is_made_once_there_is_room(tmp_path: Path) -> None:
    """Its daemon began on a full disk: whatever was said from then on was lost for ever, also with room again."""
    gaps = Gaps(tmp_path / "later" / "output.gaps")
    gaps.open()
    assert not gaps.put(5, 9)
    (tmp_path / "later").mkdir()
    assert gaps.put(5, 9)
    gaps.close()
    assert Gaps(tmp_path / "later" / "output.gaps").at(5) == Gap(5, 9, FULL_DISK)


def test_gaps_behind_garbage_are_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "output.gaps"
    gaps = Gaps(path)
    gaps.open()
    for begin in (10, 20, 30):
        gaps.put(begin, begin + 5)
    gaps.close()
    path.write_bytes(b"x" * 20 + path.read_bytes()[20:])
    gaps = Gaps(path)
    gaps.open()
    gaps.put(40, 45)
    gaps.close()
    assert Gaps(path).all == [(20, 25), (30, 35), (40, 45)]


@given(st.binary(max_size=200))
def test_garbage_is_no_gap(data: bytes) -> None:
    assert all(begin < end for begin, end in parse(data))


@given(st.lists(st.integers(0, 2**40), unique=True, max_size=40).map(sorted), st.data())
def test_a_torn_file_tells_of_the_gaps_before(tmp_path_factory, bounds: list[int], data: st.DataObject) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path_factory.getbasetemp() / "torn.gaps"
    path.unlink(missing_ok=True)
    wanted = list(zip(bounds[::2], bounds[1::2], strict=False))
    gaps = Gaps(path)
    gaps.open()
    for begin, end in wanted:
        gaps.put(begin, end)
    gaps.close()
    whole = path.read_bytes() if wanted else b""
    assert parse(whole) == wanted
    cut = data.draw(st.integers(0, len(whole)))
    assert parse(whole[:cut]) == wanted[: cut // 20]
