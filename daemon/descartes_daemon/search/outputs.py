"""Read what an agent said, as passages to be found."""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

from descartes_daemon.output_index import Record
from descartes_daemon.output_log import OutputLog
from descartes_daemon.search.again import Again
from descartes_daemon.search.asked import Asked
from descartes_daemon.search.cut_off import LONGEST, CutOff, cut_off
from descartes_daemon.search.folding import Folding
from descartes_daemon.search.hiding import Hiding
from descartes_daemon.search.index_file import Passage, Read, Source
from descartes_daemon.search.strip import cleaned, cut, is_painted, separated, texts

#: What is read in one go, and what of it is one passage.
PIECE, PASSAGE = 1024 * 1024, 4096
#: A line without an end that is not gone on with for so long is as whole as it gets (seconds).
_AT_REST = 1.0
#: So much before a passage is looked at for the beginning of a private key.
_CONTEXT = 8192
#: By its first so many bytes a redrawn text is found in its line.
_NEEDLE = 24
_KEY = b"PRIVATE KEY"
_MOST_TIMES = 20_000
#: The file's name, by stream.
FILES = {"stdout": "output", "stderr": "errors"}


class Said:
    """One stream of one agent."""

    def __init__(self, directory: Path, stream: str, begin: int, *, has_ended: bool, task: str = "") -> None:
        self.log = OutputLog(directory, FILES[stream], begin=begin)
        self._again = Again(self.log)
        self._has_ended, self._task = has_ended, task

    def behind(self, known: int) -> int:
        """Return how many bytes there are beyond what is known."""
        return self.log.size - known

    def read(self, source: Source, hiding: Hiding) -> Read | None:
        """Read on from where the source had been read to; None where there is nothing more by now."""
        begin = source.next
        while (gap := self.log.gap(begin)) is not None:
            begin = gap.end
        data = self.log.read_apart(begin, PIECE)
        if not data:
            return Read([], self.log.size, source.folded) if begin < self.log.size and begin > source.next else None
        # What ends at a gap goes on nowhere.
        end = begin + len(data)
        is_all = self.log.gap(end) is not None or (end >= self.log.size and self.is_at_rest())
        folding = Folding(source.folded)
        blocks = list(_blocks(data, is_all))
        if not blocks:
            return None
        around = self._before(begin), self._behind(end)
        told = _Told(data, begin, folding, hiding, around, self._times(begin, end))
        passages = [one._replace(task=self._task) for block in blocks if (one := told.passage(*block)) is not None]
        return Read(passages, begin + blocks[-1][1], folding.stored())

    def text(self, begin: int, end: int, hiding: Hiding) -> str:
        """Return what a passage says; nothing where it is not there any more."""
        before, data, behind = self._with_context(begin, end)
        block = separated(cleaned(data))
        return _hidden(block, before, hiding, cut_off(before, data, behind)) if block else ""

    def lines(self, begin: int, end: int, hiding: Hiding) -> list[tuple[int, str]]:
        """Return the same line by line, each with the offset where it begins."""
        before, data, behind = self._with_context(begin, end)
        return texts_of(data, begin, hiding, before, cut_off(before, data, behind))

    def _with_context(self, begin: int, end: int) -> tuple[bytes, bytes, bytes]:
        """Return what stands before a passage, the passage, and what stands behind it."""
        if self.log.gap(begin) is not None:
            return b"", b"", b""
        start = max(0, begin - _CONTEXT)
        if self.log.gap(start) is not None or self.log.gaps.next_after(start) is not None:
            return self._before(begin), self._again.read(begin, end), self._behind(end)
        data = self._again.read(start, max(end, min(end + LONGEST, self.log.size)))
        return data[: begin - start], data[begin - start : end - start], data[end - start :]

    def may_fit(self, begin: int, end: int, asked: Asked) -> bool:
        """Say, quickly, whether a passage may be what is looked for: no is for sure."""
        return asked.may_fit(self._with_context(begin, end)[1])

    def close(self) -> None:
        """Let go of what was read again."""
        self._again.close()

    def is_at_rest(self) -> bool:
        """Say whether nothing was said for a moment."""
        if self._has_ended:
            return True
        try:
            return time.time() - os.stat(self.log.path).st_mtime > _AT_REST
        except OSError:
            return True

    def _before(self, begin: int) -> bytes:
        """Return what stands before: a private key may have begun there, or the same line."""
        start = max(0, begin - _CONTEXT)
        while start < begin and (gap := self.log.gap(start)) is not None:
            start = gap.end
        before = self.log.read_apart(start, begin - start) if start < begin else b""
        return before if len(before) == begin - start else b""  # between them is a gap

    def _behind(self, end: int) -> bytes:
        return b"" if self.log.gap(end) is not None else self.log.read_apart(end, LONGEST)

    def _times(self, begin: int, end: int) -> list[Record]:
        found = self.log.index.records(begin, end, _MOST_TIMES)
        if found:
            return found
        try:
            at = os.stat(self.log.path).st_mtime
        except OSError:
            at = time.time()
        return [Record(at, end, 0, 0)]


def _blocks(data: bytes, is_all: bool) -> Iterator[tuple[int, int]]:
    at = 0
    while at < len(data):
        block = data[at : at + PASSAGE + 4]
        step = cut(block, PASSAGE, at_end=is_all and at + PASSAGE >= len(data))
        if not step:
            return
        yield at, at + step
        at += step


class _Told:
    """What the blocks of one piece say, one after the other."""

    def __init__(
        self,
        data: bytes,
        begin: int,
        folding: Folding,
        hiding: Hiding,
        around: tuple[bytes, bytes],
        times: list[Record],
    ) -> None:
        self._data, self._begin, self._folding, self._hiding = data, begin, folding, hiding
        self._before, self._behind = around
        self._times, self._offsets = times, [one.offset for one in times]
        self._has_key = _KEY in self._before or _KEY in data

    def passage(self, start: int, stop: int) -> Passage | None:
        """Return one block as a passage; None where it says nothing new."""
        text = self._folding.fold(cleaned(self._data[start:stop]))
        if not text.strip():
            return None
        at = self._times[min(bisect_left(self._offsets, self._begin + stop), len(self._times) - 1)].at
        context = (self._before + self._data[:start])[-_CONTEXT:] if self._has_key else b""
        told = _hidden(text, context, self._hiding, self._cut_off(start, stop))
        return Passage(self._begin + start, self._begin + stop, at, told)

    def _cut_off(self, start: int, stop: int) -> CutOff:
        before = self._before[-LONGEST:] if start < LONGEST else b""
        behind = self._data[stop : stop + LONGEST]
        behind += self._behind[: LONGEST - len(behind)]
        return cut_off(before + self._data[max(0, start - LONGEST) : start], self._data[stop - 1 : stop], behind)


def _hidden(text: bytes, context: bytes, hiding: Hiding, around: CutOff) -> str:
    """Return a text without its secrets, as many lines as before."""
    shown = hiding.hide_within(around.before, text.decode("utf-8", "replace"), around.behind)
    if _KEY not in context:
        return shown
    whole = hiding.hide(f"{cleaned(context).decode('utf-8', 'replace')}\n{shown}")
    return "\n".join(whole.split("\n")[-shown.count("\n") - 1 :])


def texts_of(data: bytes, begin: int, hiding: Hiding, context: bytes, around: CutOff) -> list[tuple[int, str]]:
    """Return all texts of a block with the offsets where they begin, folded or not, without secrets."""
    found = _plain_lines(data, begin) or list(_drawn_lines(data, begin))
    shown = _hidden(b"\n".join(text for _, text in found), context, hiding, around).split("\n")
    return [(offset, text) for (offset, _), text in zip(found, shown, strict=False)]


def _plain_lines(data: bytes, begin: int) -> list[tuple[int, bytes]]:
    """Return lines with their offsets; none where they are not as simple as that."""
    block = cleaned(data)
    lines = data.split(b"\n")
    told = block.split(b"\n")
    if is_painted(block) or len(told) != len(lines):
        return []
    offsets = accumulate((len(line) + 1 for line in lines), initial=begin)
    return [(offset, line) for offset, line in zip(offsets, told, strict=False) if line]


def _drawn_lines(data: bytes, begin: int) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        end = data.find(b"\n", at) + 1 or len(data)
        line = data[at:end]
        for text in texts(cleaned(line)):
            if text.text:
                place = line.find(text.text[:_NEEDLE]) if text.is_redrawn else 0
                yield begin + at + max(place, 0), text.text
        at = end
