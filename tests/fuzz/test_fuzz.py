"""Every parser bears what is nearly right, for a moment here and for as long as anybody likes by `make fuzz`."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest

from tests.fuzz.mutate import LARGEST, mutated
from tests.fuzz.running import complaint_of, corpus_of, fuzz
from tests.fuzz.targets import TARGETS, Target
from tests.support.house import ROOT

#: So many at once, each for so many seconds.
_TOGETHER, _SECONDS = 7, 5
_GROUPS = [list(TARGETS)[start : start + _TOGETHER] for start in range(0, len(TARGETS), _TOGETHER)]


@pytest.mark.parametrize("names", _GROUPS, ids=" ".join)
def test_a_few_seconds_find_nothing(names: list[str]) -> None:
    base = [sys.executable, "-m", "tests.fuzz"]
    commands = {name: [*base, name, "--seconds", str(_SECONDS)] for name in names}
    runs = {
        name: subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for name, command in commands.items()
    }
    told = {name: run.communicate(timeout=50)[0] for name, run in runs.items()}
    assert {name: told[name] for name, run in runs.items() if run.returncode} == {}


@pytest.mark.parametrize("name", TARGETS)
def test_what_was_once_not_borne_is_borne(name: str) -> None:
    target = TARGETS[name]
    for data in (*target.seeds, *(path.read_bytes() for path in corpus_of(name))):
        assert complaint_of(target, data) is None, data


def test_a_fault_is_found_made_small_and_told_with_its_seed() -> None:
    def run(data: bytes) -> str:
        if b"}{" in data:
            raise ZeroDivisionError
        return "fine"

    target = Target("none", (b'{"a": [1, 2, {"b": "c"}]}',), (b"}", b"{"), run)
    found = fuzz(target, 20.0, seed=7).finding
    assert found is not None
    assert found.data == b"}{"
    assert "ZeroDivisionError" in str(found)
    assert "seed 7" in str(found)


def test_an_endless_loop_is_a_fault() -> None:
    def run(data: bytes) -> str:
        while data == b"endless":
            pass
        return "fine"

    assert "processor time" in (complaint_of(Target("none", (), (), run), b"endless", patience=0.2) or "")


def test_the_same_seed_makes_the_same_inputs() -> None:
    def some() -> list[bytes]:
        source = random.Random(3)
        return [mutated(source, [b"one", b"two"], [b"word"]) for _ in range(200)]

    assert some() == some()
    assert len(set(some())) > 150
    assert max(map(len, some())) <= LARGEST
