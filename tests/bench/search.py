"""How fast output is indexed and found, what a flood pays for that, and what it costs who never searches."""

from __future__ import annotations

import random
import resource
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

from descartes_core.redactor import Rules
from descartes_daemon.search.asked import read_query
from descartes_daemon.search.hiding import Hiding
from descartes_daemon.search.index_file import Index, Passage, Read
from descartes_daemon.search.looking import Looking
from descartes_daemon.search.searching import Wanted
from tests.bench.figures import Figure, median
from tests.bench.flood import _record
from tests.bench.ground import pss_of, running_session
from tests.support.searchable import GIBIBYTE, Searchable

MEGABYTES, FLOOD, ROUNDS, ROWS = 32, 100, 5, 1_000_000
#: Words as logs have them: few are common, many are rare.
COMMON = [
    *("the", "of", "worker", "daemon", "session", "agent", "request", "error"),
    *("started", "ended", "line", "file", "test", "passed", "connection"),
]


def measure() -> list[Figure]:
    """Measure all of it."""
    return [*_indexing(), *_finding(), *_flood(), *_memory()]


def _lines(count: int, *, coloured: bool = False) -> list[str]:
    chance = random.Random(1)
    rare = [f"{chance.choice(COMMON)}_{number}" for number in range(5000)]
    begin, end = ("\x1b[2m", "\x1b[0m") if coloured else ("", "")
    return [
        f"{begin}2026-11-22T10:{number // 600 % 60:02}:{number // 10 % 60:02}.{number % 10}00Z{end} "
        f"{' '.join(chance.choices(COMMON, k=7))} {chance.choice(rare)} id={chance.getrandbits(32):08x}"
        for number in range(count)
    ]


def _indexing() -> list[Figure]:
    figures = []
    for name, coloured in (("plain", False), ("coloured", True)):
        output = "\r\n".join(_lines(300_000, coloured=coloured)).encode()[: MEGABYTES * 1_000_000]
        taken, floors = [], []
        for _ in range(3):
            with tempfile.TemporaryDirectory() as place:
                shop = Searchable(Path(place) / "shop")
                shop.say(shop.agent("a"), output)
                before = _children()
                assert shop.index() == "done"
                taken.append(_children() - before)
                shop.close()
                floors.append(_bare(Path(place) / "bare.db", output))
        megabytes = len(output) / 1e6
        figures.append(
            Figure(
                f"{megabytes:.0f} MB of {name} output indexed, one process, its start included",
                f"{megabytes / median(taken):.0f} MB/s of one core",
                f"FTS5 alone on the same passages: {megabytes / median(floors):.0f} MB/s",
                "≥ 20 MB/s",
                f"{median(taken) / median(floors):.2f} ×",
            )
        )
    return figures


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _bare(path: Path, output: bytes) -> float:
    """Return the CPU seconds of FTS5 as it is by default with the same passages, and nothing else."""
    began = time.process_time()
    bare = sqlite3.connect(path, isolation_level=None)
    bare.execute("PRAGMA journal_mode = WAL")
    bare.execute("CREATE VIRTUAL TABLE f USING fts5(text, content='')")
    bare.execute("BEGIN")
    for at in range(0, len(output), 4096):
        bare.execute("INSERT INTO f (rowid, text) VALUES (?, ?)", (at, output[at : at + 4096].decode(errors="replace")))
    bare.execute("COMMIT")
    bare.close()
    return time.process_time() - began


def _finding() -> list[Figure]:
    with tempfile.TemporaryDirectory() as place:
        shop = Searchable(Path(place) / "shop")
        _fill(shop)
        chance = random.Random(2)
        rare = [f"{chance.choice(COMMON)}_{chance.randrange(5000)}" for _ in range(40)]
        kinds = {
            "a rare word": rare,
            "a very common word": COMMON[:8],
            "two common words": [f"{a} {b}" for a, b in zip(COMMON, COMMON[3:], strict=False)],
            "a phrase of common words": [f'"{a} {b}"' for a, b in zip(COMMON, COMMON[5:], strict=False)],
            "a common word and a rare one": [f"worker {word}" for word in rare],
        }
        figures, everything = [], []
        looking = Looking(shop.place, None, Hiding(Rules()), "s")  # kept open, as a daemon keeps it
        looking.look(Wanted(read_query("begin")))
        for name, queries in kinds.items():
            times = [_asked(looking, query) for query in queries * 3]
            everything += times
            figures.append(_found(f"{name} in {ROWS:,} passages", times))
        looking.close()
        shop.close()
    return [*figures, _found(f"all of these in {ROWS:,} passages", everything)]


def _fill(shop: Searchable) -> None:
    """Index so many short passages: two lines each, of the same log."""
    lines = [f"{line}\r\n".encode() for line in _lines(200_000)]
    output = b"".join(lines)
    shop.say(shop.agent("a"), output)
    index = Index(shop.place, GIBIBYTE)
    source, places, at = index.source("output", "a", "stdout"), [], 0
    for first, second in zip(lines[::2], lines[1::2], strict=True):
        places.append((at, at + len(first) + len(second), (first + second).decode()))
        at = places[-1][1]
    for turn in range(ROWS // len(places)):
        passages = [Passage(begin, end, float(turn), text) for begin, end, text in places]
        source = index.store(source, Read(passages, len(output)))
    index.close()


def _asked(looking: Looking, query: str) -> float:
    began = time.perf_counter()
    looking.look(Wanted(read_query(query)))
    return time.perf_counter() - began


def _found(name: str, times: list[float]) -> Figure:
    p95 = statistics.quantiles(times, n=20)[-1]
    shown = f"p50 {median(times) * 1e3:.1f} ms, p95 {p95 * 1e3:.1f} ms"
    return Figure(f"search for {name}", shown, "", "p50 < 10 ms, p95 < 50 ms", f"max {max(times) * 1e3:.0f} ms")


def _flood() -> list[Figure]:
    """Record floods with and without an indexer behind them, in turns."""
    taken: dict[bool, list[float]] = {True: [], False: []}
    with running_session() as ground, ground.connect() as connection:
        connection.call("search.query", {"query": "x", "wait": 10.0})
        for _ in range(ROUNDS):
            for indexed in (True, False):
                if indexed:
                    connection.call("search.rebuild", {"request_id": f"r{time.monotonic()}"})
                else:
                    connection.call("search.query", {"query": "x", "wait": 30.0})
                taken[indexed].append(_record(ground, connection, FLOOD))
                connection.call("search.query", {"query": "x", "wait": 30.0})
    with_it, without = median(taken[True]), median(taken[False])
    return [
        Figure(
            f"{FLOOD} MB from a terminal, recorded while all before is indexed",
            f"{FLOOD / with_it:.0f} MB/s",
            f"nothing indexed meanwhile: {FLOOD / without:.0f} MB/s",
            "≤ 5 % slower",
            f"{(with_it / without - 1) * 100:+.0f} %",
        )
    ]


def _memory() -> list[Figure]:
    with running_session() as ground, ground.connect() as connection:
        _record(ground, connection, 1)
        unused = pss_of(ground.daemon.pid)
        connection.call("search.query", {"query": "x", "wait": 10.0})
        used = pss_of(ground.daemon.pid)
    return [
        Figure("daemon's memory (PSS) with search unused", f"{unused:.1f} MB", "", "unchanged", ""),
        Figure(
            "daemon's memory (PSS) after a search",
            f"{used:.1f} MB",
            f"{unused:.1f} MB before",
            "",
            f"{used - unused:+.1f} MB",
        ),
    ]
