"""What an agent said is read from any offset, also when somebody harmed the file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_daemon.output_log import INDEX_RECORD, OutputLog


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
    records = [record[1:] for record in INDEX_RECORD.iter_unpack((tmp_path / "output.idx").read_bytes())]
    assert records == [(3, 0, 0), (0, 40, 120)]


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


def test_a_cut_file_gives_what_is_left(tmp_path: Path) -> None:
    log = recorded(tmp_path, b"0123456789")
    os.truncate(log.path, 4)
    assert log.read(0, 10) == b"0123"
    assert log.read(6, 10) == b""
    log.close()


def test_a_failed_opening_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "output.idx").mkdir()
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
