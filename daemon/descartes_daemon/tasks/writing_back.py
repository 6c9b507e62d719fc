"""Change one row of SCUD's tasks, so that neither this change nor anybody else's is lost.

The file is read, compared and written in place while SCUD's own lock is held: renaming another file over it would let
two writers of SCUD lock two files. Two things SCUD does are met here. It empties the file before it has the lock; so a
file found empty is left to the writer that stands behind, and one emptied during the write is written whole. And it
writes a tree that it had read without the lock; so for a moment after each write `restore` is called whenever the file
changes, and writes again what such a writer undid.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from descartes_core.errors import Conflict, Locked, NotFound, Refused
from descartes_core.scud import graph
from descartes_core.scud.order import Order
from descartes_core.scud.task import Graph, Task
from descartes_daemon.tasks import intent, tree_file
from descartes_daemon.tasks.intent import Intent
from descartes_daemon.tasks.scud_lock import FIRST_PAUSE, LONGEST_PAUSE, TRIES, Held, held
from descartes_local.probe import reached
from descartes_local.regular_file import NotRegular

#: How long one of SCUD's commands may be between reading and writing: it waits 4.3 s for the lock alone.
GUARDED = 6.0


@dataclass(frozen=True, slots=True)
class Written:
    """What was done for an order."""

    order: Order
    #: The task before it.
    was: Task
    #: How often another writer had undone it, and it was written again.
    again: int = 0


class WritingBack:
    """Writes one workspace's `tasks.scg`; every method blocks, and belongs in a thread.

    Args:
        file: the graph.
        journal: where the write in progress is kept, in the session's own directory.

    """

    def __init__(self, file: Path, journal: Path) -> None:
        self._file, self._journal = file, journal
        #: The file as it was left or seen last; and the trees before and after the last write of somebody else.
        self._last: bytes | None = None
        self._theirs: tuple[Graph, Graph] | None = None
        #: What was parsed last, and what it was parsed from.
        self._parsed: tuple[bytes, Graph] | None = None

    def carry_out(self, order: Order, seen: Task | None = None) -> Written:
        """Change the file; for GUARDED seconds `restore` is called for it then.

        Args:
            order: what is to become of a task.
            seen: the task as whoever asked knows it: refused where it is another by now.

        Raises:
            Conflict: the task is not as it was seen, somebody else has it, or the file changed meanwhile.
            Locked: another writer holds the file for longer than SCUD itself waits.
            NotFound: there is no such file, phase or task.
            Refused: the file cannot be written.

        """
        if self._journal.exists():
            self.recover()
        pause = FIRST_PAUSE
        for _ in range(TRIES):
            with held(self._file) as file, _as_refusal(self._file):
                reached("tasks.locked")
                before = file.read()
                if b"\0" not in before and before.strip():
                    return self._write(file, before, order, seen)
            # Whoever emptied it stands behind us: the lock is theirs now.
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        raise Conflict(f"{self._file} is empty: whoever writes it has not ended, or was killed")

    def restore(self, written: Written) -> Written:
        """Write again what a writer undid that had read the file before; called whenever the file changed.

        Args:
            written: what `carry_out` or this returned last.

        """
        # It is only read: a descriptor that could write would tell of a change once it is closed, and so call us again.
        with contextlib.suppress(OSError, NotRegular, Conflict, Locked, NotFound, Refused):
            now = tree_file.content(self._file)
            # None: who holds it writes it, and that is another change to come.
            if now is not None and now.strip(b"\0 \n") and self._is_undone(written, now):
                self.carry_out(written.order, written.was)
                return Written(written.order, written.was, written.again + 1)
        return written

    def let_go(self) -> None:
        """Keep nothing of the file: nobody asks for `restore` any more."""
        self._last = self._theirs = self._parsed = None

    def _is_undone(self, written: Written, now: bytes) -> bool:
        self._see(now)
        self._last = now
        if self._theirs is None or not written.order.is_as(written.was, self._tree(now)):
            return False
        return written.order.is_undone(written.was, *self._theirs)

    def _tree(self, data: bytes) -> Graph:
        if self._parsed is None or self._parsed[0] != data:
            self._parsed = data, graph.parse(_decoded(data))
        return self._parsed[1]

    def _see(self, now: bytes) -> None:
        """Remember what somebody else wrote."""
        if self._last is not None and now != self._last:
            self._theirs = self._tree(self._last), self._tree(now)

    def recover(self) -> str | None:
        """Finish what was being written when a daemon was killed; return a sentence about it, where there is one.

        Raises:
            Locked: another writer holds the file.
            Refused: the file cannot be read or written now; what is kept stays.

        """
        kept = intent.kept(self._journal)
        sentence = None
        with _as_refusal(self._file):
            if kept is not None:
                with contextlib.suppress(NotFound), held(self._file) as file:
                    if kept.is_torn(file.read()):
                        file.put_whole(kept.after)
                        sentence = f"{self._file} was torn by a kill during a write of ours: it is whole again"
            intent.clear(self._journal)
        return sentence

    def _write(self, file: Held, before: bytes, order: Order, seen: Task | None) -> Written:
        text = _decoded(before)
        was = order.task(self._tree(before))
        after = order.carried_out(text, seen).encode("utf-8", "surrogateescape")
        self._see(before)
        if after != before:
            intent.keep(self._journal, Intent(before, after))
            reached("tasks.intended")
            self._put(file, before, after)
            intent.forget(self._journal)
            reached("tasks.written")
        self._last = after
        return Written(order, was)

    def _put(self, file: Held, before: bytes, after: bytes) -> None:
        now = file.read()
        if now == before:
            file.put(before, after)
            reached("tasks.put")
        elif now.strip(b"\0"):
            # Somebody who knows no locks: what they wrote is not ours to change by what we read.
            intent.forget(self._journal)
            raise Conflict(f"{self._file} changed underneath: somebody writes it without a lock")
        for _ in range(TRIES):
            if file.read() == after:
                return
            # A writer emptied it, and stands behind us: it must find all of it, should it be killed before it writes.
            file.put_whole(after)
        raise Conflict(f"{self._file} changed underneath: somebody writes it without a lock")


@contextlib.contextmanager
def _as_refusal(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Refused(f"{file} cannot be written: {os.strerror(error.errno or 0)}") from error


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
