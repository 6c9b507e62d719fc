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

#: Of each target (seconds).
_A_MOMENT = 0.4


@pytest.mark.parametrize("name", TARGETS)
def test_a_moment_finds_nothing(name: str) -> None:
    run = fuzz(TARGETS[name], _A_MOMENT, random.SystemRandom().randrange(2**32))
    assert run.tried > 0
    assert run.finding is None, str(run.finding)


def test_the_command_tells_what_it_tried_and_with_which_seed() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "jsonrpc", "--seconds", "0.3", "--seed", "7"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout.startswith("jsonrpc: ")) == (0, True), done
    assert done.stdout.endswith("seed 7\n")


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
