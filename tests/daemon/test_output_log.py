"""What an agent said is read from any offset, also when somebody harmed the file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_daemon.gaps import FULL_DISK, Gap
from descartes_daemon.output_log import OutputLog


def log_of(directory: Path, content: bytes) -> OutputLog:
    (directory / "output.log").write_bytes(content)
    return OutputLog(directory)


def recorded(directory: Path, *pieces: bytes) -> OutputLog:
    """Return a log that is open, after these pieces were recorded."""
    log = OutputLog(directory)
    log.open()
    for piece in pieces:
        os.write(log.descriptor, piece)
        log.grew(len(piece))
    return log


def test_a_log_that_is_not_there_is_empty_and_ended(tmp_path: Path) -> None:
    log = OutputLog(tmp_path / "nobody")
    assert (log.size, log.is_ended, log.read(0, 10), log.offset_of_tail(5)) == (0, True, b"", 0)


def test_any_slice_can_be_read(tmp_path: Path) -> None:
    log = log_of(tmp_path, b"0123456789")
    assert log.read(0, 4) == b"0123"
    assert log.read(8, 100) == b"89"
    assert log.read(10, 100) == log.read(99, 1) == b""


def test_it_is_read_alike_while_it_is_written_and_after(tmp_path: Path) -> None:
    log = recorded(tmp_path, b"one ", b"two")
    assert log.read(2, 100) == b"e two"
    log.close()
    assert log.read(2, 100) == b"e two"


def test_opened_again_it_goes_on_at_its_end(tmp_path: Path) -> None:
    recorded(tmp_path, b"one ").close()
    log = recorded(tmp_path, b"two")
    log.close()
    assert (log.size, log.path.read_bytes()) == (7, b"one two")


def test_the_log_is_for_nobody_else(tmp_path: Path) -> None:
    recorded(tmp_path / "agent", b"secret").close()
    assert (tmp_path / "agent").stat().st_mode & 0o077 == 0
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "agent").iterdir()} == {0o600}


def test_the_index_tells_pieces_and_sizes(tmp_path: Path) -> None:
    log = recorded(tmp_path, b"abc")
    log.resized(40, 120)
    log.close()
    records = [(record.offset, record.rows, record.cols) for record in log.index.records(0, 3, 10)]
    assert records == [(0, 24, 80), (3, 24, 80)]
    assert [(record.rows, record.cols) for record in log.index.records(3, 3, 10)] == [(40, 120)]


def test_followers_hear_of_growth_and_of_the_end(tmp_path: Path) -> None:
    log = recorded(tmp_path)
    heard: list[tuple[int, bool]] = []
    log.followers.add(lambda: heard.append((log.size, log.is_ended)))
    log.grew(0)
    log.close()
    log.close()
    assert heard == [(0, False), (0, True)]


def test_after_its_end_nothing_is_written_anywhere(tmp_path: Path) -> None:
    """The numbers of closed descriptors are soon somebody else's."""
    log = recorded(tmp_path, b"abc")
    log.close()
    with (tmp_path / "stranger").open("wb"):
        log.resized(1, 1)
    assert (tmp_path / "stranger").read_bytes() == b""


def test_a_removed_file_is_still_read_while_it_is_recorded(tmp_path: Path) -> None:
    log = recorded(tmp_path, b"abc")
    log.path.unlink()
    assert log.read(0, 10) == b"abc"
    log.close()
    assert log.read(0, 10) == b""
    assert log.offset_of_tail(1) == 0


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_somebody_put_in_its_place_holds_nobody_up(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A pipe by the name of a log once stopped the whole daemon, for ever, at the first reader."""
    log = log_of(tmp_path, b"0123456789")
    log.path.unlink()
    for name in ("output.log", "output.idx", "output.gaps"):
        make(tmp_path / name)
    assert (log.read(0, 10), log.offset_of_tail(1), log.gap(0)) == (b"", 0, None)
    assert (log.index.offset_since(0.0), log.index.records(0, 10, 9)) == (None, [])


def test_a_cut_file_gives_what_is_left(tmp_path: Path) -> None:
    log = recorded(tmp_path, b"0123456789")
    os.truncate(log.path, 4)
    assert log.read(0, 10) == b"0123"
    assert log.read(6, 10) == b""
    log.close()


def test_a_failed_opening_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "output.log").mkdir()
    log = OutputLog(tmp_path)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(IsADirectoryError):
        log.open()
    assert os.listdir("/proc/self/fd") == before
    assert log.is_ended


@given(st.lists(st.text("ab\n", max_size=5).map(str.encode)), st.integers(0, 8))
def test_a_tail_is_the_last_lines(pieces: list[bytes], lines: int) -> None:
    content = b"".join(pieces)
    directory = Path(os.environ.get("PYTEST_TMP", "/tmp")) / f"tail-{os.getpid()}"
    directory.mkdir(exist_ok=True)
    log = log_of(directory, content)
    wanted = b"".join(content.splitlines(keepends=True)[-lines:] if lines else [])
    assert content[log.offset_of_tail(lines) :] == wanted
    log.path.unlink()
    directory.rmdir()


def test_a_tail_may_be_longer_than_one_piece(tmp_path: Path) -> None:
    lines = [b"%06d %s\n" % (number, b"x" * (number % 300)) for number in range(5000)]
    log = log_of(tmp_path, b"".join(lines))
    assert log.read(log.offset_of_tail(2000), 10_000_000) == b"".join(lines[-2000:])
    assert log.offset_of_tail(5000) == log.offset_of_tail(1_000_000) == 0


def lost(log: OutputLog, *counts: int) -> None:
    for count in counts:
        assert log.lose(count)


def dropping(directory: Path) -> OutputLog:
    log = OutputLog(directory)
    log.drops_when_full = True
    log.open()
    return log


def store(log: OutputLog, data: bytes) -> None:
    os.write(log.descriptor, data)
    log.grew(len(data))


def test_what_was_dropped_is_a_gap_and_never_zeros(tmp_path: Path) -> None:
    log = recorded(tmp_path, b"x" * 10_000 + b"here")
    log.drop(10_000)
    log.punch()
    assert log.gap(3) == Gap(3, 10_000, log.begin_reason)
    assert (log.read(3, 100), log.read(9_999, 100), log.gap(10_000)) == (b"", b"", None)
    assert log.read(10_000, 100) == b"here"
    assert (log.kept, log.size, log.path.stat().st_size) == (4, 10_004, 10_004)
    assert log.path.read_bytes() == b"\0" * 10_000 + b"here"
    log.close()
    assert (OutputLog(tmp_path, begin=10_000).kept, OutputLog(tmp_path, begin=10_000).read(0, 9)) == (4, b"")


def test_the_front_of_the_index_is_given_back_too(tmp_path: Path) -> None:
    log = recorded(tmp_path)
    for size in range(3000):
        log.resized(24 + size % 2, 80)
        store(log, b"x" * 10)
    before = (tmp_path / "output.idx").stat().st_blocks
    log.drop(29_000)
    log.punch()
    assert (tmp_path / "output.idx").stat().st_blocks < before / 4
    assert log.index.records(29_995, 30_000, 9)[-1].offset >= 29_990
    log.close()


def test_it_never_begins_earlier_again(tmp_path: Path) -> None:
    log = recorded(tmp_path, b"0123456789")
    log.drop(6)
    log.drop(4)
    assert log.begin == 6
    log.close()


def test_a_tail_begins_no_earlier_than_the_log(tmp_path: Path) -> None:
    log = recorded(tmp_path, b"one\ntwo\nthree\n")
    log.drop(4)
    assert [log.offset_of_tail(lines) for lines in (0, 1, 2, 9)] == [14, 8, 4, 4]
    log.close()


def test_followers_hear_of_what_is_dropped(tmp_path: Path) -> None:
    log = recorded(tmp_path, b"0123456789")
    heard: list[int] = []
    log.followers.add(lambda: heard.append(log.begin))
    log.drop(5)
    assert heard == [5]
    log.close()


def test_what_a_full_disk_refused_is_one_gap_in_the_midst(tmp_path: Path) -> None:
    log = dropping(tmp_path)
    gaps: list[Gap] = []
    log.on_gap = lambda _log, gap: gaps.append(gap)
    store(log, b"before ")
    lost(log, 50, 50)
    assert (log.size, log.gap(7), log.read(7, 10)) == (7, None, b"")  # it is told once, when it is over
    assert log.kept == 7
    store(log, b"after")
    assert gaps == [Gap(7, 107, FULL_DISK)]
    assert (log.read(0, 1000), log.gap(7), log.read(50, 10)) == (b"before ", Gap(7, 107, FULL_DISK), b"")
    assert (log.read(107, 1000), log.size, log.kept) == (b"after", 112, 12)
    assert log.offset_of_tail(5) == 107
    log.close()
    again = OutputLog(tmp_path)
    assert (again.read(0, 1000), again.gap(50), again.read(107, 9)) == (b"before ", Gap(50, 107, FULL_DISK), b"after")


def test_a_gap_that_a_kill_left_open_is_there_for_the_next_daemon(tmp_path: Path) -> None:
    log = dropping(tmp_path)
    store(log, b"before")
    lost(log, 100)
    for left in (log.descriptor, log.gaps._descriptor):
        os.close(left)
    os.truncate(log.path, 6)  # killed between the record of the gap and the file's new length
    log = OutputLog(tmp_path)
    log.open()
    store(log, b"after")
    assert (log.gap(6), log.read(106, 10)) == (Gap(6, 106, FULL_DISK), b"after")
    log.close()


def test_a_gap_at_the_end_is_told_at_the_end(tmp_path: Path) -> None:
    log = dropping(tmp_path)
    store(log, b"before")
    lost(log, 100)
    log.close()
    assert (log.size, log.gap(6)) == (106, Gap(6, 106, FULL_DISK))


def test_without_a_gap_no_file_of_gaps_is_left(tmp_path: Path) -> None:
    dropping(tmp_path).close()
    assert {path.name for path in tmp_path.iterdir()} == {"output.log", "output.idx"}


def test_a_file_that_somebody_cut_goes_on_where_its_offsets_do(tmp_path: Path) -> None:
    (tmp_path / "output.log").write_bytes(b"cut")
    log = OutputLog(tmp_path, begin=100)
    assert (log.size, log.kept) == (100, 0)
    log.open()
    store(log, b"new")
    assert (log.size, log.read(100, 9), log.gap(0)) == (103, b"new", Gap(0, 100, log.begin_reason))
    log.close()


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["store", "lose", "drop"]), st.integers(1, 30)),
        max_size=25,
    )
)
def test_whatever_is_dropped_every_offset_is_a_byte_or_in_a_gap(steps: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        log = dropping(Path(name))
        said: list[int | None] = []  # None: gone
        for number, (what, count) in enumerate(steps):
            byte = 65 + number
            if what == "store":
                store(log, bytes([byte]) * count)
                said += [byte] * count
            elif what == "lose":
                lost(log, count)
                said += [None] * count
            else:
                begin = min(log.begin + count, log.size)
                log.drop(begin)
                said[:begin] = [None] * begin
        log.close()
        for one in (log, OutputLog(Path(name), begin=log.begin)):
            assert one.size == len(said)
            assert one.kept == sum(byte is not None for byte in said)
            assert everything(one) == said


def everything(log: OutputLog) -> list[int | None]:
    """Read as every reader does: a piece, or a gap to go on behind."""
    found: list[int | None] = []
    while len(found) < log.size:
        gap = log.gap(len(found))
        piece = log.read(len(found), 7)
        assert (gap is None) == bool(piece)
        found += piece if gap is None else [None] * (gap.end - gap.begin)
    return found
