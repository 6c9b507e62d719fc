"""What agent.output answers: a piece of a log, its times, or lines of it."""

from __future__ import annotations

import asyncio
import base64
import os
import time
from typing import Any

from descartes_core.errors import InvalidParams, NotHere
from descartes_core.messages.output import ReadOutput
from descartes_core.times import read, written
from descartes_daemon.agent import Agent
from descartes_daemon.agents import Agents
from descartes_daemon.output_log import Gap, OutputLog

#: The most times of one reply: the piece is cut where they end.
_MOST_TIMES = 10_000

Reply = dict[str, Any]


class Reading:
    """Reads outputs for whoever asks; each reader says from where."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents

    async def output(self, request: ReadOutput) -> Reply:
        """agent.output: a piece of the log, waiting for it where asked."""
        _check(request)
        agent = await self._agents.find(request.agent_id)
        log = agent.stream(request.stream)
        offset = await _where(agent, log, request)
        if offset > log.size and agent.row.tty:
            raise InvalidParams(f"offset {offset} lies beyond the {log.size} bytes there are")
        answer = _Answer(log, request, offset)
        if request.offset is None:
            answer.begin_behind(log.gap_before(offset))
        deadline = time.monotonic() + request.wait
        await answer.look()
        while answer.is_empty and not log.is_ended and (patience := deadline - time.monotonic()) > 0:
            await _grown(log, answer.offset, answer.seen, patience)
            await answer.look()
        self._agents.outputs.read(log, to_its_end=not answer.has_more)
        return answer.reply()


def _check(request: ReadOutput) -> None:
    if sum(begin is not None for begin in (request.offset, request.tail, request.since)) > 1:
        raise InvalidParams("give one of offset, tail and since")
    if request.filter is not None and request.times:
        raise InvalidParams("filter and times exclude each other")


async def _where(agent: Agent, log: OutputLog, request: ReadOutput) -> int:
    """Return where to begin."""
    if request.tail is not None:
        # In a thread: a log without line ends is read to its beginning.
        return await asyncio.to_thread(log.offset_of_tail, request.tail)
    if request.since is not None:
        if not agent.row.tty:
            raise NotHere(f"agent {agent.called} has no terminal: nobody saw when it wrote into its files")
        try:
            moment = read(request.since)
        except (ValueError, OverflowError) as error:
            raise InvalidParams(f"since: {request.since!r} is no RFC 3339 time") from error
        found = await asyncio.to_thread(log.index.offset_since, moment)
        return log.size if found is None else min(max(found, log.begin), log.size)
    return request.offset or 0


class _Answer:
    """One reply, as it comes to be."""

    def __init__(self, log: OutputLog, request: ReadOutput, offset: int) -> None:
        self._log, self._request = log, request
        self.offset = self._next = offset
        self._data = b""
        self._lines: list[Reply] = []
        self._times: list[Reply] = []
        self._gap: Gap | None = None
        self.has_more = False
        #: How much there was when it was looked at last.
        self.seen = 0
        self._filter: Any = None
        if request.filter is not None:
            # Only now: few ask for it, and its import takes memory.
            from descartes_daemon.line_filter import LineFilter

            self._filter = LineFilter(request.filter)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to tell yet."""
        return not (self._data or self._lines or self._gap or self.has_more)

    def begin_behind(self, gap: Gap | None) -> None:
        """Tell of what is missing just before: of fewer lines than were asked for somebody would wonder."""
        self._gap = gap

    async def look(self) -> None:
        """Take what there is now."""
        self.seen = self._log.size
        if self._next > self.seen:  # without a terminal its program may have cut its own log
            begin = self._log.begin
            self._gap = Gap(begin, self._next, "its program has cut its own log")
            self.offset = self._next = begin
        self._pass_gap()
        if self._filter is not None:
            found = await asyncio.to_thread(self._filter.look, self._log, self._next, self._request.limit)
            self._lines = [line._asdict() for line in found.lines]
            self._next = found.next_offset
            self.has_more = self._next < self._log.size and not found.is_unfinished
            return
        where = self.offset, self._request.limit
        is_cold = self._log.is_cold
        self._data = await asyncio.to_thread(self._log.read_apart, *where) if is_cold else self._log.read(*where)
        if self._request.times and self._data:
            await self._look_at_times()
        self._next = self.offset + len(self._data)
        # Where somebody cut the file there is nothing to wait for.
        if not self._data and self._log.gap(self._next) is None:
            self._next = self.seen
        self.has_more = self._next < self._log.size

    def _pass_gap(self) -> None:
        """Begin behind what is not there any more; two gaps that meet are told as one."""
        while (gap := self._log.gap(self._next)) is not None:
            self._gap = gap if self._gap is None else Gap(self._gap.begin, gap.end, self._gap.reason)
            self.offset = self._next = gap.end

    async def _look_at_times(self) -> None:
        begin, end = self.offset, self.offset + len(self._data)
        records = await asyncio.to_thread(self._log.index.records, begin, end, _MOST_TIMES)
        if len(records) == _MOST_TIMES:
            end = max(begin + 1, min(end, records[-1].offset))
            self._data = self._data[: end - begin]
        self._times = [
            {"end": min(max(one.offset, begin), end), "at": written(one.at), "rows": one.rows, "cols": one.cols}
            for one in records
        ]
        if not self._times or self._times[-1]["end"] < end:
            # The index lags after a crash, and a program that writes itself has none: then it is the file that knows.
            size = {"rows": self._log.rows, "cols": self._log.cols}
            self._times.append({"end": end, "at": written(_last_written(self._log)), **size})

    def reply(self) -> Reply:
        """Return it."""
        return {
            "offset": self.offset,
            "data": base64.b64encode(self._data).decode(),
            "lines": self._lines,
            "times": self._times,
            "next_offset": self._next,
            "size": self._log.size,
            "has_more": self.has_more,
            "gap": None if self._gap is None else self._gap._asdict(),
            "ended": self._log.is_ended,
        }


def _last_written(log: OutputLog) -> float:
    try:
        return os.stat(log.path).st_mtime
    except OSError:
        return time.time()


async def _grown(log: OutputLog, offset: int, seen: int, patience: float) -> None:
    """Wait for more output, or until no more will come, or until patience is over."""
    news = asyncio.Event()
    log.followers.add(news.set)
    try:
        async with asyncio.timeout(patience):
            while log.size == seen and not log.is_ended and log.gap(offset) is None:
                news.clear()
                await news.wait()
    except TimeoutError:
        return
    finally:
        log.followers.discard(news.set)
