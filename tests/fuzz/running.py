"""Try inputs on a target until the time is over, or one is not borne."""

from __future__ import annotations

import contextlib
import hashlib
import random
import re
import signal
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from tests.fuzz.mutate import mutated
from tests.fuzz.targets import Target

CORPUS = Path(__file__).parent / "corpus"
#: Processor time one input may take (seconds): all are small.
PATIENCE = 5.0
#: Inputs that led to something new are kept as beginnings of others.
_LARGEST_POOL = 2000
#: How long a finding is made smaller (seconds).
_SHRINKING = 3.0


class TooSlow(BaseException):
    """One input took all the time it may have."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An input that a target did not bear."""

    target: str
    seed: int
    data: bytes
    complaint: str

    @property
    def path(self) -> Path:
        """Where it is kept, so that it is tried for ever."""
        return CORPUS / self.target / hashlib.sha256(self.data).hexdigest()[:12]

    def __str__(self) -> str:
        head = f"{self.target} (seed {self.seed}) does not bear {self.data!r:.2000}\n{self.complaint}"
        return f"{head}\nKept as {self.path}: commit it with what mends it."


@dataclass(frozen=True, slots=True)
class Run:
    """How a target did."""

    tried: int
    outcomes: int
    finding: Finding | None


def fuzz(target: Target, seconds: float, seed: int) -> Run:
    """Try what is near the target's seeds and its corpus."""
    random_ = random.Random(f"{target.name} {seed}")
    pool = [*target.seeds, *(path.read_bytes() for path in corpus_of(target.name))]
    outcomes: set[str] = set()
    tried, ends = 0, time.monotonic() + seconds
    while time.monotonic() < ends:
        data = pool[tried] if tried < len(pool) else mutated(random_, pool, target.words)
        tried += 1
        complaint, outcome = _try(target, data)
        if complaint is not None:
            small = _shrunk(target, data)
            return Run(tried, len(outcomes), Finding(target.name, seed, small, _try(target, small)[0] or complaint))
        if outcome not in outcomes and len(pool) < _LARGEST_POOL:
            outcomes.add(outcome)
            pool.append(data)
    return Run(tried, len(outcomes), None)


def corpus_of(name: str) -> list[Path]:
    """Return the inputs that a target once did not bear."""
    return sorted((CORPUS / name).glob("*"))


def complaint_of(target: Target, data: bytes, *, patience: float = PATIENCE) -> str | None:
    """Return why a target does not bear an input, None when it does."""
    return _try(target, data, patience)[0]


def _try(target: Target, data: bytes, patience: float = PATIENCE) -> tuple[str | None, str]:
    try:
        with _bounded(patience):
            # Digits tell nothing new.
            return None, re.sub(r"\d+", "0", target.run(data))[:80]
    except (Exception, TooSlow):
        return traceback.format_exc(), ""


@contextlib.contextmanager
def _bounded(patience: float) -> Iterator[None]:
    def over(_number: int, _frame: FrameType | None) -> None:
        raise TooSlow(f"more than {patience:g} s of processor time")

    before = signal.signal(signal.SIGPROF, over)
    signal.setitimer(signal.ITIMER_PROF, patience)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _shrunk(target: Target, data: bytes) -> bytes:
    """Return a part of an input that is not borne either, found by leaving out pieces."""
    ends = time.monotonic() + _SHRINKING
    size = len(data) // 2
    while size and time.monotonic() < ends:
        start = 0
        while start < len(data) and time.monotonic() < ends:
            smaller = data[:start] + data[start + size :]
            if _try(target, smaller)[0] is not None:
                data = smaller
            else:
                start += size
        size //= 2
    return data
