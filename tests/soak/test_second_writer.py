"""SCUD and a daemon write one file of tasks at once, and neither loses what it wrote."""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from descartes_core.scud import graph
from descartes_core.scud.order import Order
from descartes_core.scud.task import LETTERS, Graph
from descartes_daemon.tasks.writing_back import WritingBack
from tests.support import scud_writer
from tests.support.house import ROOT
from tests.support.scud_trees import text_of


@pytest.mark.parametrize("rounds", [25, pytest.param(1000, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])])
def test_no_write_is_lost_between_two_writers(rounds: int, tmp_path: Path) -> None:
    file = tmp_path / "tasks.scg"
    file.write_text(text_of("descartes"))
    writing, tally = WritingBack(file, tmp_path / "intent"), Counter[str]()
    wanted = {task.task_id: task.status for task in graph.parse(file.read_text()).tasks}
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    command = [sys.executable, scud_writer.__file__, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as scud:
        assert scud.stdin is not None
        assert scud.stdout is not None
        assert scud.stdout.readline() == "ready\n"
        for number in range(rounds):
            theirs, ours = dice.sample(sorted(wanted), 2)
            for one in (theirs, ours):
                wanted[one] = dice.choice([word for word in LETTERS if word != wanted[one]])
            print(*theirs.split(":"), wanted[theirs], dice.choice([0, 0, 1, 3, 8]), file=scud.stdin, flush=True)
            written = writing.carry_out(Order(*ours.split(":"), wanted[ours]))
            assert scud.stdout.readline() == "done\n"
            written = writing.restore(written)
            tally[f"again {written.again}"] += 1
            assert statuses(file) == wanted, f"round {number}, seed {seed}: {ours} by us, {theirs} by SCUD"
        scud.stdin.close()
    assert scud.returncode == 0
    read = graph.parse(file.read_text())
    assert (read.faults, set(tmp_path.iterdir())) == ((), {file})
    print(f"{rounds} rounds: {dict(tally)}")


BUSY = """
import sys
from pathlib import Path
from descartes_core.scud.order import Order
from descartes_daemon.tasks.writing_back import WritingBack
writing = WritingBack(Path(sys.argv[1]), Path(sys.argv[2]))
writing.recover()
print("ready", flush=True)
for number in range(10**9):
    status = ("in-progress", "pending", "review")[number % 3]
    writing.carry_out(Order("demo", "7", status, f"agent-{number % 7}" * (1 + number % 3), f"{number}", by_force=True))
"""


@pytest.mark.parametrize("kills", [5, pytest.param(150, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])])
def test_no_kill_leaves_a_torn_file(kills: int, tmp_path: Path) -> None:
    file, journal = tmp_path / "tasks.scg", tmp_path / "intent"
    file.write_text(text_of("descartes"))
    dice, told = random.Random(), 0
    first = {task.task_id: task for task in graph.parse(file.read_text()).tasks}
    for _ in range(kills):
        command = [sys.executable, "-c", BUSY, str(file), str(journal)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
            with contextlib.suppress(subprocess.TimeoutExpired):
                writer.wait(dice.uniform(0, 0.05))
            assert writer.poll() is None
            writer.kill()
        told += WritingBack(file, journal).recover() is not None
        read = graph.parse(file.read_text())
        assert read.faults == ()
        assert {task.task_id: task for task in read.tasks if task.task_id != "demo:7"} == {
            key: task for key, task in first.items() if key != "demo:7"
        }
        assert set(tmp_path.iterdir()) == {file}
    print(f"{kills} kills, {told} files made whole again")


def statuses(file: Path) -> dict[str, str]:
    read: Graph = graph.parse(file.read_text())
    return {task.task_id: task.status for task in read.tasks}
