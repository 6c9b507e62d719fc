"""What a bench found, and the table of all."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure beside the floors of the same run."""

    what: str
    #: Ours, in words with its unit.
    ours: str
    #: What the machine does without us, in the same run.
    floors: str
    #: What the design asks for.
    goal: str
    #: How the two compare.
    verdict: str


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as Markdown."""
    lines = ["| what | Descartes | floor, same run | comparison | goal |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| {one.what} | {one.ours} | {one.floors} | {one.verdict} | {one.goal} |" for one in figures]
    return "\n".join(lines)


def machine() -> str:
    """Return what the figures were measured on."""
    return f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}"


def seconds(action: Callable[[], object]) -> float:
    """Return how long something takes."""
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def interleaved(rounds: int, *actions: Callable[[], object]) -> list[list[float]]:
    """Time several things in turn, so that the machine's moods meet all of them."""
    for action in actions:
        action()  # warm: bytecode, caches
    taken: list[list[float]] = [[] for _ in actions]
    for _ in range(rounds):
        for action, times in zip(actions, taken, strict=True):
            times.append(seconds(action))
    return taken


def ms(times: Sequence[float]) -> str:
    """Return the median and the 90th percentile in milliseconds."""
    return f"{median(times) * 1e3:.1f} ms (p90 {statistics.quantiles(times, n=10)[-1] * 1e3:.1f})"


def us(times: Sequence[float]) -> str:
    """Return the median and the 90th percentile in microseconds."""
    return f"{median(times) * 1e6:.0f} µs (p90 {statistics.quantiles(times, n=10)[-1] * 1e6:.0f})"


def median(times: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(times)
