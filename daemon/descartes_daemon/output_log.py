"""What an agent said: raw bytes on disk, read from any offset.

There is no second copy in memory: everything that shows output reads from an offset here. An offset is a position in
the file, for ever: what is dropped is a hole in it, told as a gap, and never read as zeros. Beside `output.log` lie
`output.idx` (when each piece came) and, after a full disk, `output.gaps`; the size of the log is the truth. Of an agent
that ended long ago the bytes may lie compressed in `output.cold`, and are read from there at the same offsets.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from descartes_daemon import hole
from descartes_daemon.gaps import FULL_DISK, Gap, Gaps
from descartes_daemon.output_index import IndexWriter, OutputIndex
from descartes_local.cold_log import Damaged, find_cold, front_of_cold
from descartes_local.log_file import LogFile
from descartes_local.regular_file import NotRegular

__all__ = ["FULL_DISK", "Gap", "OutputLog"]

_log = logging.getLogger(__name__)

#: What a disk must have free before an agent that goes on without it is recorded again.
_ROOM = 262_144


class OutputLog:
    """One stream of one agent: any number of readers, at most one recorder."""

    def __init__(self, directory: Path, stem: str = "output", *, begin: int = 0) -> None:
        self.directory = directory
        #: `errors.log` is the stderr of an agent without a terminal.
        self.path = directory / f"{stem}.log"
        #: The first offset that is still there, and why those before it are not.
        self.begin = begin
        self.begin_reason = "dropped to keep within output.agent_cap or output.session_cap"
        try:
            self.size = max(self.path.stat().st_size, begin)
        except OSError:
            self.size = begin
        #: Whose it is, and of what size its terminal is; set by `Outputs`.
        self.agent_id, self.stream = "", "stdout"
        self.rows, self.cols = 24, 80
        #: Whether its agent goes on without it when the disk is full.
        self.drops_when_full = False
        #: Called, in the loop, after the log grew and when it will grow no more, and after something was dropped.
        self.followers: set[Callable[[], None]] = set()
        #: Called with every growth, with the trouble of a full disk (None: it is over), with a gap that has ended, once
        #: more by each daemon that finds it.
        self.on_growth: Callable[[OutputLog, int], None] = lambda _log, _count: None
        self.on_trouble: Callable[[OutputLog, str | None], None] = lambda _log, _trouble: None
        self.on_gap: Callable[[OutputLog, Gap], None] = lambda _log, _gap: None
        self.is_ended = True
        self.descriptor = -1
        self.gaps = Gaps(directory / f"{stem}.gaps")
        self._index: IndexWriter | None = None
        #: Gone since the last byte; they count once the gap has an end.
        self._lost = 0
        #: What a reader found that cannot be read any more.
        self._damages: list[Gap] = []
        self._held: LogFile | None = None

    def open(self) -> None:
        """Make it ready for its one recorder.

        Never O_APPEND: splice refuses such a file (EINVAL). The position is the size, taken here, once, by the one
        daemon that holds the session's lock.
        """
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # A file that somebody cut goes on where its offsets do; so does one that a kill left before its gap's end.
            size = max(os.lseek(descriptor, 0, os.SEEK_END), self.begin, self.gaps.end)
            os.lseek(descriptor, size, os.SEEK_SET)
            self._index = IndexWriter(self.path.with_suffix(".idx"), self.rows, self.cols)
        except OSError:
            os.close(descriptor)
            raise
        if self.drops_when_full:
            self.gaps.open()
        self.descriptor, self.size = descriptor, size
        self.is_ended = False
        self._index.resized(size, self.rows, self.cols)
        # A killed daemon may not have come to tell of them.
        for begin, end in self.gaps.all:
            self.on_gap(self, Gap(begin, end, FULL_DISK))

    def grew(self, count: int) -> None:
        """Take note of bytes that the recorder has just stored."""
        if self._lost:
            self.end_gap()
        self.size += count
        if self._index is not None:
            self._index.note(self.size)
        self.on_growth(self, count)
        self.tell()

    def resized(self, rows: int, cols: int) -> None:
        """Take note of the terminal's new size, at this offset."""
        self.rows, self.cols = rows, cols
        if self._index is not None:
            self._index.resized(self.size, rows, cols)

    def lose(self, count: int) -> bool:
        """Write down that so many bytes go, which a full disk refused: the offsets go on behind them.

        First that, then they go: where it cannot be written down they must wait. Who is killed in between has told of
        a gap, and finds them behind it.
        """
        if not self.gaps.put(self.size, self.size + self._lost + count):
            return False
        self._lost += count
        self._skip_lost()
        return True

    def _skip_lost(self) -> bool:
        end = self.size + self._lost
        os.lseek(self.descriptor, end, os.SEEK_SET)
        with contextlib.suppress(OSError):
            os.ftruncate(self.descriptor, end)
            return True
        return False

    def has_room(self) -> bool:
        """Say whether it can go on behind a gap: the file is as long as that says, and the disk takes more."""
        return hole.has_room(self.descriptor, self.size + self._lost, _ROOM) and self._skip_lost()

    def end_gap(self) -> None:
        """Let a gap end here, and tell of it."""
        if self._lost:
            gap = Gap(self.size, self.size + self._lost, FULL_DISK)
            self.size, self._lost = gap.end, 0
            self.on_gap(self, gap)
            self.tell()

    def tell(self) -> None:
        """Tell the followers that there is something new."""
        for follower in tuple(self.followers):
            follower()

    @property
    def kept(self) -> int:
        """How many bytes are there; of what is compressed, those that it takes."""
        # Nothing is compressed while it is recorded.
        begin, taken = find_cold(self.cold_path, self.begin) if self.descriptor < 0 else (self.begin, 0)
        return taken + max(0, self.size - begin) - self.gaps.bytes_between(begin, self.size)

    @property
    def is_cold(self) -> bool:
        """Whether it is compressed: to read a piece takes a millisecond, which a loop leaves to a thread."""
        return self.descriptor < 0 and self.cold_path.exists()

    @property
    def cold_path(self) -> Path:
        """Where its bytes are once it is compressed."""
        return self.path.with_suffix(".cold")

    @property
    def index(self) -> OutputIndex:
        """When what came, up to this moment."""
        return OutputIndex(self.path.with_suffix(".idx"), self._index.waiting if self._index is not None else None)

    def gap(self, offset: int) -> Gap | None:
        """Return what is not there from this offset on; None where a byte is, or will be."""
        if offset < self.begin:
            return Gap(offset, self.begin, self.begin_reason)
        if offset >= self.size:
            return None
        harmed = next((one for one in self._damages if one.begin <= offset < one.end), None)
        return self.gaps.at(offset) if harmed is None else Gap(offset, min(harmed.end, self.size), harmed.reason)

    def gap_before(self, offset: int) -> Gap | None:
        """Return what is not there up to this offset; None where a byte is, or nothing was."""
        if offset == self.begin > 0:
            return Gap(0, offset, self.begin_reason)
        return self.gaps.before(offset)

    def read(self, offset: int, limit: int) -> bytes:
        """Return up to `limit` bytes from an offset, never from within a gap (see `gap`), nor beyond one.

        Nothing beyond the end, or where somebody cut the file.
        """
        count = self._readable(offset, limit)
        if count > 0 and self.descriptor >= 0:
            return os.pread(self.descriptor, count, offset)
        return self.read_apart(offset, limit)

    def read_apart(self, offset: int, limit: int) -> bytes:
        """Do the same in a thread, where the recorder may close its descriptor meanwhile."""
        count = self._readable(offset, limit)
        if count <= 0:
            return b""
        with self._opened() as file:
            data = b"" if file is None else self._undamaged(file, offset, count)
        # What is dropped meanwhile is written off first and punched then: these bytes may be zeros already.
        return data if offset >= self.begin else b""

    def _undamaged(self, file: LogFile, offset: int, count: int) -> bytes:
        try:
            return file.read(offset, count)
        except Damaged as damage:
            self._note(damage)
            return b""

    def _note(self, damage: Damaged) -> None:
        """Let what cannot be read be a gap from now on."""
        _log.error("%s: %s", self.cold_path, damage)
        self._damages.append(Gap(damage.begin, damage.end, f"{self.cold_path.name} is damaged"))

    def _readable(self, offset: int, limit: int) -> int:
        if offset < self.begin or self.gaps.at(offset) is not None:
            return 0
        stop = self.gaps.next_after(offset)
        return min(limit, (self.size if stop is None else min(stop, self.size)) - offset)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[LogFile | None]:
        """Open it for one reader; None when somebody removed the file: what was said is gone, the agent is not."""
        if self._held is not None:
            yield self._held
            return
        try:
            file = LogFile(self.path)
        except (FileNotFoundError, NotRegular):  # or put a pipe there, at which everybody would wait
            yield None
            return
        except Damaged as damage:
            self._note(damage)
            yield None
            return
        with file:
            yield file

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep it open for its only reader, who reads many pieces."""
        with self._opened() as self._held:
            yield
        self._held = None

    def offset_of_tail(self, lines: int) -> int:
        """Return the offset at which the last `lines` lines begin; may be called in a thread."""
        size, first = self.size, min(max(self.begin, self.gaps.end), self.size)
        if lines == 0:
            return size
        with self._opened() as file:
            if file is None:
                return first
            try:
                return file.offset_of_tail(first, size, lines)
            except Damaged as damage:
                self._note(damage)
                return min(damage.end, size)

    def drop(self, begin: int) -> None:
        """Let it begin here from now on; `punch` then gives the room back."""
        self.begin = max(self.begin, begin)
        self.tell()

    def punch(self) -> None:
        """Give back what lies before the beginning, of the index too; may be called in a thread, and again.

        Raises:
            OSError: the file system will not.

        """
        _punch(self.path, self.begin)
        if (place := front_of_cold(self.cold_path, self.begin)) is not None:
            _punch(self.cold_path, place)
        index = self.path.with_suffix(".idx")
        if (end := OutputIndex(index).end_before(self.begin)) > 0:
            _punch(index, end)

    def close(self) -> None:
        """Nothing more will come: close the files and tell the followers."""
        if self.is_ended:
            return
        self.end_gap()
        self.is_ended = True
        os.close(self.descriptor)
        self.descriptor = -1
        self.gaps.close()
        if self._index is not None:
            self._index.close()
            self._index = None
        self.tell()


def _punch(path: Path, end: int) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        hole.punch(descriptor, 0, end)
    finally:
        os.close(descriptor)
