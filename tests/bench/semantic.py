"""Search for what is alike: exact, over 100,000 vectors; and what vectors cost."""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path

import numpy

from descartes_daemon.search.index_file import Index, Passage, Read
from descartes_daemon.search.index_opening import NAME, open_reader
from descartes_daemon.search.semantic import vectors
from descartes_daemon.search.semantic.lexical import SIZE, LexicalEmbedder
from descartes_daemon.search.semantic.nearest import Nearest
from tests.bench.cold_logs import _output
from tests.bench.figures import Figure, median

COUNT, QUESTIONS, MOST = 100_000, 60, 10
_PASSAGE = 4096


def measure() -> list[Figure]:
    """Compare with all vectors of an index, as a search does, beside one product of a matrix in memory."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        index = Index(directory, 1 << 34)
        passages = [Passage(at, at + 1, 1.0, "x") for at in range(COUNT)]
        index.store(index.source("output", "agent", "stdout"), Read(passages, COUNT))
        dice = numpy.random.default_rng(7)
        # In heaps, as texts are: everything equally far from everything would be too easy.
        heaps = dice.normal(size=(200, SIZE)).astype(numpy.float32)
        vectors.begin(index.connection, "bench")
        for block in vectors.missing(index.connection):
            rows = heaps[dice.integers(0, 200, block.length)] + dice.normal(size=(block.length, SIZE)) * 0.6
            vectors.store(index.connection, "bench", block, _long_one(rows))
        index.close()
        reader = open_reader(directory / NAME)
        nearest = Nearest(directory)
        questions = _long_one(heaps[dice.integers(0, 200, QUESTIONS)] + dice.normal(size=(QUESTIONS, SIZE)) * 0.6)
        start = time.perf_counter()
        nearest.find(reader, questions[0], MOST)
        first = time.perf_counter() - start
        rows = numpy.concatenate([vectors.rows_of(reader, one, SIZE) for one in sorted(vectors.blocks(reader))])
        ours, floor, right = [], [], 0
        for question in questions:
            start = time.perf_counter()
            found = nearest.find(reader, question, MOST)
            ours.append(time.perf_counter() - start)
            start = time.perf_counter()
            scores = rows @ question
            floor.append(time.perf_counter() - start)
            truth = set((numpy.argsort(-scores)[:MOST] + 1).tolist())
            right += len(truth & {one.passage for one in found})
        nearest.close()
        reader.close()
    return [
        Figure(
            f"the {MOST} nearest of {COUNT:,} vectors of {SIZE} numbers",
            f"{1000 * median(ours):.1f} ms (p95 {1000 * sorted(ours)[-4]:.1f}), recall {right / QUESTIONS / MOST:.3f};"
            f" the first time {1000 * first:.0f} ms",
            f"the product alone {1000 * median(floor):.1f} ms",
            "< 50 ms p50, recall 1.0",
            f"{median(ours) / median(floor):.2f} ×",
        ),
        _cost(),
    ]


def _cost() -> Figure:
    text = _output(4_000_000).decode()
    passages = [text[at : at + _PASSAGE] for at in range(0, len(text), _PASSAGE)]
    random.Random(7).shuffle(passages)
    embedder = LexicalEmbedder()
    start = time.process_time()
    for at in range(0, len(passages), embedder.at_once):
        embedder.embed(passages[at : at + embedder.at_once])
    ours = time.process_time() - start
    start = time.process_time()
    for passage in passages:
        passage.lower().split()
    floor = time.process_time() - start
    return Figure(
        "a lexical vector of 4 KB of output",
        f"{1000 * ours / len(passages):.2f} ms of one core, {2 * SIZE} bytes",
        f"to split it into words {1000 * floor / len(passages):.2f} ms",
        "none",
        f"{ours / floor:.0f} ×",
    )


def _long_one(rows: numpy.ndarray) -> numpy.ndarray:
    return (rows / numpy.linalg.norm(rows, axis=1, keepdims=True)).astype(numpy.float32)
