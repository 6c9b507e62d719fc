"""Every descriptor comes to its place, whatever lay there, and nothing else is left."""

from __future__ import annotations

import json
import os
import random
import resource
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from descartes_orchestrator.handing_over import FIRST, arrange, variables

#: Beyond all that a test arranges.
_HIGH = 200


def arranged(sources: Sequence[int], output: int, limit: int, told: Path) -> dict[str, list[object]]:
    """Return what a child finds where it has arranged files that tell where they were, under a limit."""
    child = os.fork()
    if child == 0:
        try:
            _arrange(sources, output, limit, told)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    found: dict[str, list[object]] = json.loads(told.read_text())
    return found


def _arrange(sources: Sequence[int], output: int, limit: int, told: Path) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (1000, 1000))
    os.closerange(FIRST, 1000)
    for source in (*sources, output):
        with tempfile.TemporaryFile() as file:
            file.write(str(source).encode())
            file.flush()
            os.dup2(file.fileno(), _HIGH + source)
    os.closerange(FIRST, FIRST + 3)
    for source in (*sources, output):
        os.dup2(_HIGH + source, source, inheritable=False)
    os.closerange(_HIGH, 1000)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, 1000))
    arrange(output, sources)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1000, 1000))
    opened = [int(name) for name in os.listdir("/proc/self/fd")]
    texts = [os.pread(number, 10, 0).decode() for number in range(1, FIRST + len(sources)) if number in opened]
    passed_on = [number for number in opened if number < FIRST + len(sources) and os.get_inheritable(number)]
    told.write_text(json.dumps({"opened": sorted(opened), "texts": texts, "passed_on": sorted(passed_on)}))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 40])
@pytest.mark.parametrize("seed", range(4))
def test_all_come_to_their_places_with_one_descriptor_to_spare(tmp_path: Path, count: int, seed: int) -> None:
    """In every order and with every hole: as many as a process may have, but one."""
    *sources, output = random.Random(seed).sample(range(FIRST, FIRST + count + 1), count + 1)
    found = arranged(sources, output, FIRST + count + 1, tmp_path / "told")
    assert found["texts"] == [str(number) for number in (output, output, *sources)]
    assert found["passed_on"] == list(range(FIRST + count))
    assert found["opened"] == [*range(FIRST + count + 1)], "with the listing itself"


def test_holes_and_what_lies_high_are_no_matter(tmp_path: Path) -> None:
    found = arranged([90, 4, 3, 17, 150], 60, 1000, tmp_path / "told")
    assert found["texts"] == ["60", "60", "90", "4", "3", "17", "150"]
    assert found["opened"] == [*range(FIRST + 6)]


def test_names_that_are_more_than_a_variable_holds_are_told_in_several() -> None:
    told = variables([f"name-{number}" for number in range(1200)])
    assert (told["LISTEN_PID"], told["LISTEN_FDS"]) == (str(os.getpid()), "1200")
    pieces = [told["LISTEN_FDNAMES"], told["LISTEN_FDNAMES_2"], told["LISTEN_FDNAMES_3"]]
    assert ":".join(pieces).split(":") == [f"name-{number}" for number in range(1200)]
