"""A compressed log says what it said, whoever is killed, and whenever."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_daemon import compressing, hole
from descartes_daemon.compressing import Unequal, cool
from descartes_daemon.output_log import OutputLog
from descartes_local.cold_log import BLOCK
from tests.support.moments import Moments

_COOL = """
import sys
from pathlib import Path
from descartes_daemon.compressing import cool
print("begins", flush=True)
cool(Path(sys.argv[1]), int(sys.argv[2]), lambda: True)
"""


def always() -> bool:
    return True


def said(length: int, seed: int = 1) -> bytes:
    """Return output as an agent has it: words again and again, some noise, zeros too."""
    dice = random.Random(seed)
    words = [dice.randbytes(dice.randint(1, 40)) for _ in range(60)] + [b"\n", b"\0" * 50, b"\x1b[0m"]
    return b"".join(dice.choices(words, k=length // 12 + 1))[:length].ljust(length, b".")


def log_of(directory: Path, content: bytes, begin: int = 0) -> OutputLog:
    directory.mkdir(exist_ok=True)
    (directory / "output.log").write_bytes(content)
    return OutputLog(directory, begin=begin)


def blocks_of(path: Path) -> int:
    return path.stat().st_blocks * 512


@given(
    length=st.integers(1, 5 * BLOCK // 2),
    begin=st.integers(0, BLOCK),
    spots=st.lists(st.tuples(st.integers(0, 3 * BLOCK), st.integers(0, BLOCK)), max_size=5),
)
def test_any_slice_is_what_it_was(
    tmp_path_factory: pytest.TempPathFactory, length: int, begin: int, spots: list[tuple[int, int]]
) -> None:
    directory = tmp_path_factory.mktemp("agent")
    content, begin = said(length), min(begin, length - 1)
    log = log_of(directory, content, begin)
    assert cool(log.path, begin, always) == log.cold_path.stat().st_size
    again = OutputLog(directory, begin=begin)
    assert (again.size, again.read(begin, length)) == (length, content[begin:])
    for offset, limit in spots:
        offset = max(begin, min(offset, length))
        assert log.read(offset, limit) == again.read(offset, limit) == content[offset : offset + limit]
        assert log.gap(offset) is None
    assert {path.name for path in directory.iterdir()} == {"output.log", "output.cold"}


def test_it_takes_less_and_is_as_long(tmp_path: Path) -> None:
    content = b"the same line again\n" * 200_000
    log = log_of(tmp_path, content)
    before = log.path.stat()
    cool(log.path, 0, always)
    after = log.path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert after.st_blocks * 512 < 8192
    assert log.kept == OutputLog(tmp_path).kept < len(content) // 50
    assert log.cold_path.stat().st_mode & 0o777 == 0o600
    assert log.offset_of_tail(2) == len(content) - 40


def test_what_a_full_disk_refused_stays_a_gap(tmp_path: Path) -> None:
    log = log_of(tmp_path, said(100_000))
    log.gaps.put(30_000, 70_000)
    log.gaps.close()
    cool(log.path, 0, always)
    again = OutputLog(tmp_path)
    assert again.read(20_000, 100_000) == said(100_000)[20_000:30_000]
    assert again.gap(30_000) == log.gap(30_000) is not None
    assert again.read(70_000, 100_000) == said(100_000)[70_000:]


def test_who_drops_its_front_gives_room_back(tmp_path: Path) -> None:
    content = random.Random(3).randbytes(8 * BLOCK)
    log = log_of(tmp_path, content)
    cool(log.path, 0, always)
    kept, taken = log.kept, blocks_of(log.cold_path)
    log.drop(5 * BLOCK + 7)
    log.punch()
    assert log.kept < kept // 2
    assert blocks_of(log.cold_path) < taken // 2
    assert log.read(5 * BLOCK + 7, 10 * BLOCK) == content[5 * BLOCK + 7 :]
    log.drop(log.size)
    log.punch()
    assert (log.kept, log.cold_path.exists()) == (0, False)


def test_a_damaged_block_is_a_gap_and_never_zeros(tmp_path: Path) -> None:
    content = said(3 * BLOCK)
    log = log_of(tmp_path, content)
    cool(log.path, 0, always)
    with log.cold_path.open("r+b") as file:
        file.seek(log.cold_path.stat().st_size // 2)
        file.write(b"harm")
    assert log.read(0, 3 * BLOCK) == content[:BLOCK]
    assert log.read(BLOCK, 10) == b""
    gap = log.gap(BLOCK)
    assert gap is not None
    assert (gap.begin, gap.end, gap.reason) == (BLOCK, 2 * BLOCK, "output.cold is damaged")
    assert log.read(2 * BLOCK, 3 * BLOCK) == content[2 * BLOCK :]
    assert log.offset_of_tail(1_000_000) >= 2 * BLOCK


def test_what_is_all_damaged_is_one_gap(tmp_path: Path) -> None:
    log = log_of(tmp_path, said(100_000))
    cool(log.path, 0, always)
    log.cold_path.write_bytes(b"nonsense")
    assert log.read(0, 10) == b""
    gap = log.gap(0)
    assert gap is not None
    assert (gap.begin, gap.end) == (0, 100_000)
    assert log.offset_of_tail(3) == 0


def test_told_not_to_go_on_it_leaves_nothing(tmp_path: Path) -> None:
    log = log_of(tmp_path, said(3 * BLOCK))
    for most in range(5):
        words: Iterator[bool] = iter([True] * most)
        assert cool(log.path, 0, lambda words=words: next(words, False)) is None
        assert [path.name for path in tmp_path.iterdir()] == ["output.log"]
    assert log.read(0, 3 * BLOCK) == said(3 * BLOCK)


def test_what_reads_otherwise_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody writes into the log meanwhile: both cannot be right, and the log is."""
    log = log_of(tmp_path, said(3 * BLOCK))

    def meddle(data: bytes) -> bytes:
        with log.path.open("r+b") as file:
            file.write(b"!")
        return bytes(reversed(data)) and real(data)

    real: Callable[[bytes], bytes] = compressing.compress
    monkeypatch.setattr(compressing, "compress", meddle)
    with pytest.raises(Unequal):
        cool(log.path, 0, always)
    assert [path.name for path in tmp_path.iterdir()] == ["output.log"]
    assert log.read(1, 3 * BLOCK) == said(3 * BLOCK)[1:]


def test_a_reader_never_sees_the_hole(tmp_path: Path) -> None:
    """It reads on and on while the log is compressed under it."""
    content = said(6 * BLOCK)
    log = log_of(tmp_path, content)
    dice, wrong, stop = random.Random(5), list[int](), threading.Event()

    def read_on() -> None:
        while not stop.is_set():
            offset = dice.randrange(len(content) - 1000)
            if log.read_apart(offset, 1000) != content[offset : offset + 1000]:
                wrong.append(offset)

    reader = threading.Thread(target=read_on)
    reader.start()
    try:
        cool(log.path, 0, always)
    finally:
        stop.set()
        reader.join()
    assert wrong == []


def began(path: Path, probe: Path | None = None) -> subprocess.Popen[bytes]:
    """Start a process that compresses a log, and wait until it has begun."""
    environment = os.environ | ({} if probe is None else {"DESCARTES_PROBE": str(probe)})
    process = subprocess.Popen([sys.executable, "-c", _COOL, str(path), "0"], stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def killed(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    assert process.wait() in (0, -signal.SIGKILL)
    assert process.stdout is not None
    process.stdout.close()


def still_says(directory: Path, content: bytes) -> None:
    log = OutputLog(directory)
    assert (log.size, log.read(0, len(content)) == content, log.gap(0)) == (len(content), True, None)


@pytest.mark.parametrize("moment", ["cold.written", "cold.renamed", "cold.given_back"])
def test_killed_at_each_step_everything_is_there(short: Path, moment: str) -> None:
    content = said(3 * BLOCK)
    log = log_of(short / "agent", content)
    moments = Moments(short / "probe")
    try:
        with moments.hold(moment) as held:
            process = began(log.path, moments.path)
            held.wait()
            killed(process)
    finally:
        moments.close()
    still_says(log.directory, content)
    cool(log.path, 0, always)
    still_says(log.directory, content)
    assert blocks_of(log.path) < 8192
    assert {path.name for path in log.directory.iterdir()} == {"output.log", "output.cold"}


@pytest.mark.parametrize("rounds", [6, pytest.param(300, marks=[pytest.mark.soak, pytest.mark.timeout(900)])])
def test_killed_at_any_moment_everything_is_there(tmp_path: Path, rounds: int) -> None:
    dice = random.Random(seed := int(os.environ.get("STORM_SEED", time.time_ns())))
    print(f"STORM_SEED={seed}")
    content = said(8 * BLOCK)
    usual = 0.2
    for number in range(rounds):
        log = log_of(tmp_path / str(number), content)
        for _ in range(dice.randint(1, 3)):
            start = time.monotonic()
            process = began(log.path)
            # A random moment is what is wanted here; nothing waits for it.
            threading.Event().wait(dice.uniform(0.0, usual))
            killed(process)
            if process.returncode == 0:
                usual = 0.9 * usual + 0.1 * (time.monotonic() - start)
            still_says(log.directory, content)
        cool(log.path, 0, always)
        still_says(log.directory, content)
        for path in log.directory.iterdir():
            path.unlink()


def test_where_no_room_is_given_back_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes are there twice then, and read alike."""
    log = log_of(tmp_path, said(100_000))

    def refuse(*_: int) -> None:
        raise OSError(95, "not supported")

    monkeypatch.setattr(hole, "punch", refuse)
    with pytest.raises(OSError, match="not supported"):
        cool(log.path, 0, always)
    still_says(tmp_path, said(100_000))
