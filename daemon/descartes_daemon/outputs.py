"""Every agent's output logs: one object for one file, however many look at it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from weakref import WeakValueDictionary

from descartes_core.times import written
from descartes_daemon.agent_row import AgentRow
from descartes_daemon.growth import Growth
from descartes_daemon.output_log import Gap, OutputLog
from descartes_daemon.program_log import ProgramLog

#: The file's name, by stream; a terminal has only the first.
FILES = {"stdout": "output", "stderr": "errors"}
#: Who reads a log piece by piece asks for the next one within this (seconds).
_READERS_PAUSE = 30.0
_MOST_READERS = 1000


class Outputs:
    """Hands out logs, and hears what happens to them; a log that nobody holds is forgotten."""

    def __init__(self, directory_of: Callable[[str], Path]) -> None:
        self._directory_of = directory_of
        #: Notices what programs write themselves.
        self.growth = Growth()
        #: Who read a piece and not the last one, and when (monotonic); oldest first.
        self._readers: dict[str, float] = {}
        self._known: WeakValueDictionary[tuple[str, str], OutputLog] = WeakValueDictionary()
        #: What an agent does when the disk is full (output.on_full_disk).
        self.drops_when_full = False
        #: Told by every log that is made from then on; set by who counts and who tells.
        self.on_growth: Callable[[OutputLog, int], None] = lambda _log, _count: None
        self.on_trouble: Callable[[OutputLog, str | None], None] = lambda _log, _trouble: None
        self.on_gap: Callable[[OutputLog, Gap], None] = lambda _log, _gap: None
        self.on_cut: Callable[[OutputLog], None] = lambda _log: None
        #: Waits until what was said of gaps is stored; set by who tells.
        self.all_told: Callable[[], Awaitable[None]] = _nothing_to_tell

    def read(self, log: OutputLog, *, to_its_end: bool) -> None:
        """Take note that somebody read a piece, who may come for the next one."""
        self._readers.pop(log.agent_id, None)
        if not to_its_end:
            self._readers[log.agent_id] = time.monotonic()
            if len(self._readers) > _MOST_READERS:
                del self._readers[next(iter(self._readers))]

    def is_read(self, agent_id: str) -> bool:
        """Say whether somebody follows a log of this agent, or was about to read on a moment ago."""
        followed = any(log.followers for key, log in self._known.items() if key[0] == agent_id)
        return followed or time.monotonic() - self._readers.get(agent_id, -_READERS_PAUSE) < _READERS_PAUSE

    def collected(self, agent_id: str, at: float) -> None:
        """Let all that an agent said be gone, for whoever still looks at it, too."""
        for stream in FILES:
            if (log := self._known.get((agent_id, stream))) is not None:
                log.begin_reason = _removed(at)
                log.drop(log.size)

    def of(self, row: AgentRow, stream: str = "stdout") -> OutputLog:
        """Return the log of one stream of an agent."""
        log = self._known.get((row.id, stream))
        if log is None:
            log = self._known[row.id, stream] = self._made(row, stream)
        return log

    def _made(self, row: AgentRow, stream: str) -> OutputLog:
        begin = row.output_from if stream == "stdout" else row.errors_from
        directory, stem = self._directory_of(row.id), FILES[stream]
        if row.tty or row.host is not None:  # what a program writes elsewhere comes piece by piece
            log = OutputLog(directory, stem, begin=begin)
        else:
            log = ProgramLog(directory, stem, self.growth, begin=begin)
            log.on_cut = lambda log: self.on_cut(log)
        log.agent_id, log.stream = row.id, stream
        log.rows, log.cols = row.rows, row.cols
        log.drops_when_full = self.drops_when_full
        if row.collected_at is not None:
            log.begin_reason = _removed(row.collected_at)
        log.on_growth = self.on_growth
        log.on_trouble = lambda log, trouble: self.on_trouble(log, trouble)
        log.on_gap = lambda log, gap: self.on_gap(log, gap)
        return log

    def errors_of(self, row: AgentRow) -> OutputLog | None:
        """Return the log of an agent's stderr; None where it has a terminal."""
        return None if row.tty else self.of(row, "stderr")


async def _nothing_to_tell() -> None:
    """Wait for nobody."""


def _removed(at: float) -> str:
    return f"removed on {written(at)[:10]} (descartes gc)"
