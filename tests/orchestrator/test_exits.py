"""Endings that no daemon has committed are on disk, for this boot, and a broken line breaks nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path

from descartes_local.endings import UNKNOWN, Ending
from descartes_local.processes import Process
from descartes_orchestrator.supervisor.exits import Exits

ONE, OTHER = Process(10, 1), Process(11, 2)
WELL, KILLED = Ending(0, None), Ending(None, "SIGKILL")


def test_what_is_written_down_is_known_to_the_next(tmp_path: Path) -> None:
    exits = Exits(tmp_path / "exits")
    exits.add(ONE, WELL)
    exits.add(OTHER, KILLED)
    exits.add(OTHER, UNKNOWN)
    after = Exits(tmp_path / "exits")
    assert (after.get(ONE), after.get(OTHER), after.get(Process(10, 2))) == (WELL, KILLED, None)
    assert ONE in after


def test_what_is_committed_is_forgotten_and_nothing_is_left(tmp_path: Path) -> None:
    exits = Exits(tmp_path / "exits")
    exits.add(ONE, WELL)
    exits.add(OTHER, KILLED)
    exits.remove(ONE)
    exits.remove(ONE)
    assert Exits(tmp_path / "exits").get(ONE) is None
    assert Exits(tmp_path / "exits").get(OTHER) == KILLED
    exits.remove(OTHER)
    assert not list(tmp_path.iterdir())


def test_another_boot_s_mean_nothing(tmp_path: Path) -> None:
    path = tmp_path / "exits"
    Exits(path).add(ONE, WELL)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([json.dumps("another"), *lines[1:]]))
    exits = Exits(path)
    assert exits.get(ONE) is None
    exits.add(OTHER, KILLED)
    assert Exits(path).get(ONE) is None
    assert Exits(path).get(OTHER) == KILLED


def test_garbage_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "exits"
    Exits(path).add(ONE, WELL)
    with open(path, "a") as file:
        file.write('[1, 2, 3\n[]\n{}\nnull\n[1]\n[12, 3, 4, 5, 6]\n"x"\n[11, 2, null, "SIGK')
    exits = Exits(path)
    assert exits.get(ONE) == WELL
    assert exits.get(OTHER) is None
    path.write_bytes(b"\xff\x00")
    assert Exits(path).get(ONE) is None


def test_the_file_stays_as_long_as_what_it_means(tmp_path: Path) -> None:
    exits = Exits(tmp_path / "exits")
    exits.add(ONE, WELL)
    for pid in range(100, 2000):
        exits.add(Process(pid, 1), WELL)
        exits.remove(Process(pid, 1))
    assert (tmp_path / "exits").read_bytes().count(b"\n") < 1100
    assert Exits(tmp_path / "exits").get(ONE) == WELL


def test_a_file_that_was_taken_away_is_written_anew(tmp_path: Path) -> None:
    exits = Exits(tmp_path / "exits")
    exits.add(ONE, WELL)
    os.unlink(tmp_path / "exits")
    exits.add(OTHER, KILLED)
    assert [Exits(tmp_path / "exits").get(one) for one in (ONE, OTHER)] == [WELL, KILLED]
