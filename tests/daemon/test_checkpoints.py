"""Saved terminals are found again, and what is no such thing is passed over."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from descartes_daemon.checkpoints import MOST, Checkpoint, Checkpoints


def test_the_last_one_before_an_offset_is_found(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for offset in (100, 300, 200):
        checkpoints.add(Checkpoint(offset, b"saved at %d" % offset))
    assert checkpoints.last(99) is None
    for asked, found in ((100, 100), (299, 200), (300, 300), (10**12, 300)):
        assert checkpoints.last(asked) == Checkpoint(found, b"saved at %d" % found)


@pytest.mark.parametrize("torn", [b"", b"DSCREEN1", b"x" * 100, None])
def test_a_torn_one_counts_as_not_there(tmp_path: Path, torn: bytes | None) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.add(Checkpoint(100, b"whole"))
    checkpoints.add(Checkpoint(200, b"torn"))
    path = tmp_path / "screen-200.saved"
    path.write_bytes(path.read_bytes()[:-1] if torn is None else torn)
    assert checkpoints.last(500) == Checkpoint(100, b"whole")


def test_one_under_a_wrong_name_counts_as_not_there(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.add(Checkpoint(100, b"whole"))
    (tmp_path / "screen-100.saved").rename(tmp_path / "screen-200.saved")
    for name in ("screen-x.saved", "screen-99999999999999999999.saved", "screen-5.part", "screen-7.saved.bak"):
        (tmp_path / name).write_bytes(b"")
    assert checkpoints.last(500) is None


def test_there_are_never_too_many(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for offset in range(1, MOST + 20):
        checkpoints.add(Checkpoint(offset * 1000, b"x"))
    names = sorted(int(path.stem.partition("-")[2]) for path in tmp_path.glob("screen-*"))
    assert len(names) == MOST
    # Spread over all of it, and the last one is there.
    assert names[-1] == (MOST + 19) * 1000
    assert max(after - before for before, after in itertools.pairwise(names)) <= 4000


def test_a_disk_that_takes_none_is_no_trouble(tmp_path: Path) -> None:
    gone = Checkpoints(tmp_path / "gone")
    gone.add(Checkpoint(100, b"x"))
    assert gone.last(100) is None
