"""Feed an emulator with what makes the screen at an offset of a log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from descartes_daemon.checkpoints import Checkpoint, Checkpoints
from descartes_daemon.emulator import Emulator, Emulators
from descartes_daemon.output_index import OutputIndex, Record
from descartes_daemon.output_log import OutputLog

#: So much is read from a checkpoint on, or from the beginning; more would be waited for (50 to 300 MB/s, tried).
REACH = 8 * 1024 * 1024
#: Where there is more: this much of the end.
_END = 4 * 1024 * 1024
#: A program says what kind of terminal it wants when it begins: where nothing else is known, this much is read of it.
_HEAD = 65_536
#: What is read in one go.
_BLOCK = 262_144
#: What is fed in one go; between two the clock is looked at.
_PIECE = 4096
#: Some sequences (REP with a huge count) are a long work, and others wait: then there is no exact screen (seconds of
#: the thread's own time, whatever else the machine does).
_DEADLINE = 1.0
#: CAN ends a sequence that was cut; what would colour or move what comes is put back, and the screen is cleared.
_JUMP = b"\x18\x1b[0m\x1b(B\x0f\x1b[r\x1b[?6l\x1b[?69l\x1b[4l\x1b[H\x1b[2J"
_CUT = b"\x18"
#: Of the index, read in one go.
_RECORDS = 5000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which screen is asked for; made in the loop, used in a thread."""

    log: OutputLog
    index: OutputIndex
    #: Up to where the log is read.
    end: int
    #: The terminal's size at the end, where it is known; else the index tells, or this is the best guess.
    rows: int
    cols: int
    is_now: bool


class TooLong(RuntimeError):
    """What an agent said keeps the emulator for longer than others may have to wait."""


class Replay:
    """Makes one screen, and leaves checkpoints on the way."""

    def __init__(self, emulators: Emulators, wanted: Wanted, every: int) -> None:
        self._emulators = emulators
        self._wanted = wanted
        self._log = wanted.log
        self._every = every
        self._checkpoints = Checkpoints(wanted.log.directory)
        self._saved_at: int | None = None
        self._ends = time.thread_time() + _DEADLINE

    def run(self) -> Emulator:
        """Return the terminal at that offset; whoever gets it closes it.

        Raises:
            TooLong: it would take too long.
            RuntimeError: the emulator cannot.

        """
        emulator, offset = self._base()
        try:
            if self._wanted.end - offset > REACH:
                offset = self._jump(emulator, offset)
            self._feed(emulator, offset)
            if self._wanted.is_now:
                _fit(emulator, self._wanted.rows, self._wanted.cols)
        except BaseException:
            emulator.close()
            raise
        return emulator

    def _base(self) -> tuple[Emulator, int]:
        found = self._checkpoints.last(self._wanted.end)
        if found is not None and (emulator := self._emulators.restore(found.saved)) is not None:
            self._saved_at = found.offset
            return emulator, found.offset
        begin = min(self._log.begin, self._wanted.end)
        return self._emulators.make(*self._size_at(begin)), begin

    def _size_at(self, offset: int) -> tuple[int, int]:
        for record in self._wanted.index.records(offset, offset, 1):
            if _is_size(record):
                return record.rows, record.cols
        return self._wanted.rows, self._wanted.cols

    def _jump(self, emulator: Emulator, offset: int) -> int:
        """Leave out the middle of a long output; return where the rest begins.

        What is searched for the last clearing is read three times slower than what is fed: so all of the rest is fed.
        """
        if self._saved_at is None:
            for _, piece in self._pieces(offset, offset + _HEAD):
                self._take(emulator, piece)
        self._saved_at = begin = self._wanted.end - _END
        emulator.feed(_JUMP)
        for place, piece in self._pieces(begin, begin + _PIECE):
            return place - len(piece) + _whole(piece)
        return begin

    def _feed(self, emulator: Emulator, offset: int) -> None:
        """Feed all from an offset on, each resize at its place."""
        saved_at = offset if self._saved_at is None else self._saved_at
        for rows, cols, begin, end in self._stretches(offset):
            _fit(emulator, rows, cols)
            for place, piece in self._pieces(begin, end):
                self._take(emulator, piece)
                if place - saved_at >= self._every:
                    self._save(emulator, place)
                    saved_at = place
        # Who looks once looks again, mostly: then there is less to be read.
        if self._wanted.end - saved_at >= self._every // 16:
            self._save(emulator, self._wanted.end)

    def _take(self, emulator: Emulator, piece: bytes) -> None:
        emulator.feed(piece)
        if time.thread_time() > self._ends:
            raise TooLong(f"it takes more than {_DEADLINE:.0f} s")

    def _save(self, emulator: Emulator, offset: int) -> None:
        saved = emulator.save()
        if saved is not None:
            self._checkpoints.add(Checkpoint(offset, saved))

    def _stretches(self, begin: int) -> Iterator[tuple[int, int, int, int]]:
        """Walk over what was written in one size: rows, columns, from where, to where."""
        size = self._size_at(begin)
        for record in self._records(begin):
            if (record.rows, record.cols) != size and _is_size(record):
                place = max(record.offset, begin)
                yield *size, begin, place
                size, begin = (record.rows, record.cols), place
        yield *size, begin, self._wanted.end

    def _records(self, begin: int) -> Iterator[Record]:
        end = self._wanted.end
        while True:
            found = self._wanted.index.records(begin, end, _RECORDS)
            yield from (record for record in found if record.offset <= end)
            if len(found) < _RECORDS or not begin < found[-1].offset < end:
                return
            begin = found[-1].offset

    def _pieces(self, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
        """Walk over what is there, each piece with the offset behind it."""
        while begin < end:
            gap = self._log.gap(begin)
            if gap is not None:
                begin = gap.end
                yield min(begin, end), _CUT
                continue
            block = self._log.read_apart(begin, min(_BLOCK, end - begin))
            if not block and self._log.gap(begin) is None:  # nor was it dropped just now
                return  # somebody cut the file
            for start in range(0, len(block), _PIECE):
                piece = block[start : start + _PIECE]
                begin += len(piece)
                yield begin, piece


def _whole(piece: bytes) -> int:
    """Return where something begins that is not the rest of a cut sequence."""
    line, sequence = piece.find(b"\n") + 1, piece.find(b"\x1b")
    return min(filter(None, (line, max(sequence, 0))), default=0)


def _fit(emulator: Emulator, rows: int, cols: int) -> None:
    if emulator.size != (rows, cols):
        emulator.resize(rows, cols)


def _is_size(record: Record) -> bool:
    return 1 <= record.rows <= 1000 and 1 <= record.cols <= 1000
