"""Rows of SCUD's file are changed as SCUD would, and nothing is lost between two writers."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.errors import Conflict, Locked, NotFound, Refused
from descartes_core.scud import graph
from descartes_core.scud.order import Order
from descartes_core.scud.task import Task
from descartes_daemon.tasks import scud_lock, writing_back
from descartes_daemon.tasks.intent import Intent, keep
from descartes_daemon.tasks.tree_file import LARGEST
from descartes_daemon.tasks.writing_back import WritingBack
from descartes_local.inotify import CLOSE_WRITE, MODIFY, Inotify
from tests.support import scud_writer
from tests.support.moments import Moments
from tests.support.scud_trees import text_of

AT = "2026-01-01T00:00:00Z"
DONE = Order("research", "10", "done")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / ".scud/tasks/tasks.scg"
    path.parent.mkdir(parents=True)
    path.write_text(text_of("coalgas"))
    return path


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "tasks-intent"


@pytest.fixture
def writing(file: Path, journal: Path) -> WritingBack:
    return WritingBack(file, journal)


@pytest.fixture
def moments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Moments]:
    with closing(Moments(tmp_path / "probe")) as made:
        monkeypatch.setenv("DESCARTES_PROBE", str(made.path))
        yield made


@pytest.fixture
def aside() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def task(file: Path, task_id: str = "10") -> Task:
    return Order("research", task_id).task(graph.parse(file.read_text()))


def test_a_status_is_one_byte_of_the_file(writing: WritingBack, file: Path, journal: Path) -> None:
    before, inode = file.read_bytes(), file.stat().st_ino
    written = writing.carry_out(DONE, task(file))
    after = file.read_bytes()
    assert [one for one in zip(before, after, strict=True) if one[0] != one[1]] == [(ord("P"), ord("D"))]
    assert (written.was.status, task(file).status) == ("pending", "done")
    assert file.stat().st_ino == inode
    assert not journal.exists()


def test_what_is_so_already_is_not_written(writing: WritingBack, file: Path) -> None:
    stamp = file.stat().st_mtime_ns
    writing.carry_out(Order("research", "9", "done"))
    assert file.stat().st_mtime_ns == stamp


def test_a_claim_is_a_row_and_taken_from_nobody(writing: WritingBack, file: Path) -> None:
    before = file.read_text()
    writing.carry_out(Order("research", "10", "in-progress", "ann", AT))
    assert (task(file).status, task(file).locked_by, task(file).locked_at) == ("in-progress", "ann", AT)
    assert len(file.read_text().splitlines()) == len(before.splitlines()) + 4
    claimed = file.read_bytes()
    with pytest.raises(Conflict, match="research:10 is claimed by ann"):
        writing.carry_out(Order("research", "10", agent="bob", at=AT))
    assert file.read_bytes() == claimed
    writing.carry_out(Order("research", "10", agent="bob", at=AT, by_force=True))
    assert task(file).locked_by == "bob"


def test_a_task_that_changed_underneath_is_left_alone(writing: WritingBack, file: Path) -> None:
    seen = task(file)
    scud_writer.write(file, scud_writer.changed(file.read_text(), "research", "10", "cancelled"))
    with pytest.raises(Conflict, match="it is cancelled now"):
        writing.carry_out(DONE, seen)
    assert task(file).status == "cancelled"


def test_bytes_that_are_no_text_stay(writing: WritingBack, file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"  \xff\xfe\r\n\x85")
    before = file.read_bytes()
    writing.carry_out(DONE)
    assert file.read_bytes() == before.replace(b"| P |", b"| D |")


def test_what_cannot_be_written_is_refused(writing: WritingBack, file: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        writing.carry_out(Order("research", "77", "done"))
    with pytest.raises(NotFound):
        WritingBack(tmp_path / "none", tmp_path / "journal").carry_out(DONE)
    with pytest.raises(Refused):
        WritingBack(tmp_path, tmp_path / "journal").carry_out(DONE)
    with pytest.raises(Refused):
        WritingBack(file, tmp_path / "no/such/journal").carry_out(DONE)
    assert file.read_text() == text_of("coalgas")


def test_a_lock_that_is_let_go_of_is_waited_for(writing: WritingBack, file: Path) -> None:
    with open(file) as locked:
        fcntl.flock(locked, fcntl.LOCK_SH)
        threading.Timer(0.05, fcntl.flock, [locked, fcntl.LOCK_UN]).start()
        writing.carry_out(DONE)
    assert task(file).status == "done"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try three times: 30 ms, and not 4.3 s."""
    monkeypatch.setattr(scud_lock, "TRIES", 2)
    monkeypatch.setattr(writing_back, "TRIES", 2)


@pytest.mark.usefixtures("impatient")
def test_a_lock_that_nobody_lets_go_of_is_told(writing: WritingBack, file: Path) -> None:
    with open(file) as locked:
        fcntl.flock(locked, fcntl.LOCK_EX)
        with pytest.raises(Locked):
            writing.carry_out(DONE)
    assert file.read_text() == text_of("coalgas")


@pytest.mark.usefixtures("impatient")
def test_a_file_that_was_emptied_is_left_to_its_writer(writing: WritingBack, file: Path) -> None:
    file.write_text("")
    with pytest.raises(Conflict, match="empty"):
        writing.carry_out(DONE)
    assert file.read_text() == ""


def test_the_file_that_lies_there_now_is_written(writing: WritingBack, file: Path, aside: ThreadPoolExecutor) -> None:
    """A checkout renames another file over it while the old one is locked by somebody."""
    with open(file) as locked:
        fcntl.flock(locked, fcntl.LOCK_EX)
        other = file.with_name("other")
        other.write_text(text_of("coalgas"))
        asked = aside.submit(writing.carry_out, DONE)
        os.replace(other, file)
        asked.result(10)
    assert task(file).status == "done"


def test_an_editor_that_knows_no_lock_is_not_overwritten(
    writing: WritingBack, file: Path, journal: Path, moments: Moments, aside: ThreadPoolExecutor
) -> None:
    with moments.hold("tasks.intended") as held:
        asked = aside.submit(writing.carry_out, DONE)
        held.wait()
        edited = file.read_text().replace("| 3 | M", "| 8 | M")
        file.write_text(edited)
    with pytest.raises(Conflict, match="without a lock"):
        asked.result(10)
    assert (file.read_text(), journal.exists()) == (edited, False)


def begin_scud(file: Path, aside: ThreadPoolExecutor, text: str) -> Future[None]:
    """Let SCUD write what it had read before; return once it has emptied the file."""
    writer = aside.submit(scud_writer.write, file, text)
    while file.stat().st_size:
        pass
    return writer


@pytest.mark.parametrize("moment", ["tasks.locked", "tasks.intended", "tasks.put", "tasks.written"])
def test_a_writer_that_empties_the_file_first_loses_nothing_and_undoes_nothing(
    moment: str, writing: WritingBack, file: Path, moments: Moments, aside: ThreadPoolExecutor
) -> None:
    stale = scud_writer.changed(scud_writer.read(file), "research", "9", "review")
    with moments.hold(moment) as held:
        asked = aside.submit(writing.carry_out, DONE)
        held.wait()
        writer = begin_scud(file, aside, stale)
    written = asked.result(10)
    written = writing.restore(written)  # whatever it finds there: the other has not ended
    writer.result(10)
    assert writing.restore(written).again <= 1
    assert (task(file).status, task(file, "9").status) == ("done", "review")


def test_a_writer_that_read_before_and_writes_after_undoes_nothing(writing: WritingBack, file: Path) -> None:
    stale = scud_writer.changed(scud_writer.read(file), "research", "9", "review")
    written = writing.carry_out(DONE)
    scud_writer.write(file, stale)
    assert task(file).status == "pending"
    assert writing.restore(written).again == 1
    assert (task(file).status, task(file, "9").status) == ("done", "review")


def test_who_takes_it_back_on_purpose_is_not_contradicted(writing: WritingBack, file: Path) -> None:
    written = writing.carry_out(DONE)
    scud_writer.write(file, scud_writer.changed(scud_writer.read(file), "research", "10", "pending"))
    assert writing.restore(written).again == 0
    assert task(file).status == "pending"


def test_who_takes_one_of_two_back_is_not_contradicted(writing: WritingBack, file: Path) -> None:
    first, second = writing.carry_out(DONE), writing.carry_out(Order("research", "9", "review"))
    scud_writer.write(file, scud_writer.changed(scud_writer.read(file), "research", "10", "pending"))
    assert (writing.restore(first).again, writing.restore(second).again) == (0, 0)
    scud_writer.write(file, scud_writer.changed(scud_writer.read(file), "research", "1", "review"))
    assert (writing.restore(first).again, writing.restore(second).again) == (0, 0)
    assert [task(file, one).status for one in ("10", "9", "1")] == ["pending", "review", "review"]


def test_who_takes_one_back_before_another_is_written_is_not_contradicted(writing: WritingBack, file: Path) -> None:
    first = writing.carry_out(DONE)
    scud_writer.write(file, scud_writer.changed(scud_writer.read(file), "research", "10", "pending"))
    writing.carry_out(Order("research", "9", "review"))
    assert writing.restore(first).again == 0
    assert task(file).status == "pending"


def test_one_stale_write_undoes_none_of_several(writing: WritingBack, file: Path) -> None:
    stale = scud_writer.changed(scud_writer.read(file), "research", "1", "review")
    orders = [DONE, Order("research", "9", "blocked"), Order("research", "8", agent="ann", at=AT)]
    written = [writing.carry_out(order) for order in orders]
    scud_writer.write(file, stale)
    assert [writing.restore(one).again for one in written] == [1, 1, 1]
    assert [task(file, one).status for one in ("10", "9", "1")] == ["done", "blocked", "review"]
    assert task(file, "8").locked_by == "ann"


def test_who_decides_otherwise_is_not_contradicted(writing: WritingBack, file: Path) -> None:
    written = writing.carry_out(DONE)
    text = scud_writer.changed(scud_writer.read(file), "research", "10", "failed")
    scud_writer.write(file, scud_writer.changed(text, "research", "9", "review"))
    assert writing.restore(written).again == 0
    assert task(file).status == "failed"


def test_who_looks_after_a_write_is_not_called_by_its_own_looking(writing: WritingBack, file: Path) -> None:
    stale = scud_writer.changed(scud_writer.read(file), "research", "9", "review")
    with closing(Inotify()) as inotify:
        written = writing.carry_out(DONE)
        inotify.add(file.parent, MODIFY | CLOSE_WRITE)
        written = writing.restore(written)
        assert list(inotify.read()) == []
        scud_writer.write(file, stale)
        written = writing.restore(written)
        assert (written.again, len(list(inotify.read())) > 0) == (1, True)
        assert (writing.restore(written).again, list(inotify.read())) == (1, [])


FULL = """
import resource, sys
from pathlib import Path
from descartes_core.errors import Refused
from descartes_core.scud.order import Order
from descartes_daemon.tasks import writing_back
from descartes_daemon.tasks.writing_back import WritingBack

def limit(moment, size=Path(sys.argv[1]).stat().st_size):
    if moment == "tasks.intended":
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, size + 10))

writing_back.reached = limit
try:
    WritingBack(Path(sys.argv[1]), Path(sys.argv[2])).carry_out(Order("research", "10", agent="ann", at="now"))
except Refused as error:
    print(error)
"""


def test_where_there_is_no_room_for_a_row_the_file_stays_as_it_was(file: Path, journal: Path) -> None:
    before = file.read_bytes()
    done = subprocess.run([sys.executable, "-c", FULL, file, journal], capture_output=True, text=True, check=True)
    assert "cannot be written: File too large" in done.stdout
    assert file.read_bytes() == before


def test_what_is_no_file_any_more_is_left_alone(writing: WritingBack, file: Path, journal: Path) -> None:
    written = writing.carry_out(DONE)
    keep(journal, Intent(BEFORE, BEFORE))
    file.unlink()
    os.mkfifo(file)
    assert writing.restore(written) == written
    with pytest.raises(Refused, match="it is no file"):
        writing.recover()
    file.unlink()
    file.touch()
    os.truncate(file, LARGEST + 1)
    assert writing.restore(written) == written
    with pytest.raises(Refused, match="more than"):
        writing.carry_out(DONE)
    assert journal.exists(), "what it is about may come back"


KILLED = """
import sys
from pathlib import Path
from descartes_core.scud.order import Order
from descartes_daemon.tasks.writing_back import WritingBack
WritingBack(Path(sys.argv[1]), Path(sys.argv[2])).carry_out(Order("research", "10", "done", "ann", "now"))
"""


@pytest.mark.parametrize("moment", ["tasks.locked", "tasks.intended", "tasks.put", "tasks.written"])
def test_a_kill_at_any_moment_leaves_the_file_as_before_or_after(
    moment: str, writing: WritingBack, file: Path, journal: Path, moments: Moments
) -> None:
    before = file.read_text()
    with moments.hold(moment) as held, subprocess.Popen([sys.executable, "-c", KILLED, file, journal]) as writer:
        held.wait()
        writer.send_signal(signal.SIGKILL)
    assert writing.recover() is None
    assert file.read_text() == before or (task(file).status, task(file).locked_by) == ("done", "ann")
    assert not journal.exists()
    writing.carry_out(DONE)
    assert task(file).status == "done"


ORDERS = (Order("research", "4", "failed"), Order("research", "4", "failed", "ann", AT))
BEFORE = text_of("coalgas").encode()


@pytest.mark.parametrize("order", ORDERS)
@given(data=st.data())
def test_what_a_kill_in_the_middle_of_a_write_leaves_is_known(order: Order, data: st.DataObject) -> None:
    after = order.carried_out(BEFORE.decode()).encode()
    intent = Intent(BEFORE, after)
    start = next(at for at, (one, other) in enumerate(zip(BEFORE, after, strict=False)) if one != other)
    cut = data.draw(st.integers(start, len(after)))
    torn = after[:cut] + BEFORE[cut:]
    assert intent.is_torn(torn) == (torn not in (BEFORE, after))
    assert intent.is_torn(after[:cut]) == (cut < len(after))
    assert intent.is_torn(b"\0" * start + after[start : start + 1])
    other = BEFORE[:start] + b"#" + BEFORE[start + 1 :]
    assert not intent.is_torn(other)


def test_a_torn_file_is_made_whole_and_that_is_told(writing: WritingBack, file: Path, journal: Path) -> None:
    after = ORDERS[1].carried_out(BEFORE.decode()).encode()
    for torn in (b"", after[:2000] + BEFORE[2000:], b"\0" * 100):
        keep(journal, Intent(BEFORE, after))
        file.write_bytes(torn)
        assert writing.recover() == f"{file} was torn by a kill during a write of ours: it is whole again"
        assert (file.read_bytes(), journal.exists()) == (after, False)


def test_what_somebody_wrote_since_is_left_as_it_is(writing: WritingBack, file: Path, journal: Path) -> None:
    keep(journal, Intent(BEFORE, ORDERS[1].carried_out(BEFORE.decode()).encode()))
    file.write_text(scud_writer.changed(file.read_text(), "research", "1", "review"))
    assert writing.recover() is None
    assert (task(file, "1").status, journal.exists()) == ("review", False)
    journal.write_text("[1, ")
    assert writing.recover() is None
    assert not journal.exists()
