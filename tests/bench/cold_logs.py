"""Old logs: how fast they are compressed, how much less they take, and how fast they are read through."""

from __future__ import annotations

import random
import tempfile
import time
import zlib
from pathlib import Path

from descartes_daemon.compressing import cool
from descartes_daemon.output_log import OutputLog
from tests.bench.figures import Figure, median

MEGABYTES, ROUNDS = 64, 3
_READ, _SPOTS = 65_536, 300


def measure() -> list[Figure]:
    """Compress output as builds and tests have it, and read it in pieces, beside zlib alone and beside the bare log."""
    content = _output(MEGABYTES * 1_000_000)
    ours, floor, bare, through, spots = [], [], [], [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as name:
            (Path(name) / "output.log").write_bytes(content)
            log = OutputLog(Path(name))
            bare.append(_seconds_to_read(log))
            start = time.perf_counter()
            taken = cool(log.path, 0, lambda: True) or 0
            ours.append(time.perf_counter() - start)
            through.append(_seconds_to_read(log))
            spots.append(_seconds_at_spots(log))
        start = time.perf_counter()
        for offset in range(0, len(content), 262_144):
            zlib.compress(content[offset : offset + 262_144], 4)
        floor.append(time.perf_counter() - start)
    return [
        Figure(
            f"an old log of {MEGABYTES} MB compressed, synced, and compared",
            f"{MEGABYTES / median(ours):.0f} MB/s, to {100 * taken / len(content):.1f} %",
            f"zlib alone {MEGABYTES / median(floor):.0f} MB/s",
            "none",
            f"{median(ours) / median(floor):.2f} ×",
        ),
        Figure(
            "a compressed log read through in pieces of 64 KiB",
            f"{MEGABYTES / median(through):.0f} MB/s; 64 KiB anywhere {1000 * median(spots):.2f} ms",
            f"as it was {MEGABYTES / median(bare):.0f} MB/s",
            "none",
            f"{median(through) / median(bare):.1f} ×",
        ),
    ]


def _output(length: int) -> bytes:
    dice = random.Random(7)
    words = ["".join(dice.choices("abcdefghijklmnopqrstuvwxyz_", k=dice.randint(2, 12))) for _ in range(3000)]
    lines, size = [], 0
    while size < length:
        line = (
            f"\x1b[2m{size // 1000:>9}\x1b[0m {dice.choice(('INFO', 'WARN'))} {' '.join(dice.choices(words, k=9))}\r\n"
        )
        lines.append(line)
        size += len(line)
    return "".join(lines).encode()[:length]


def _seconds_to_read(log: OutputLog) -> float:
    start = time.perf_counter()
    for offset in range(0, log.size, _READ):
        log.read(offset, _READ)
    return time.perf_counter() - start


def _seconds_at_spots(log: OutputLog) -> float:
    dice = random.Random(8)
    start = time.perf_counter()
    for _ in range(_SPOTS):
        log.read(dice.randrange(log.size), _READ)
    return (time.perf_counter() - start) / _SPOTS
