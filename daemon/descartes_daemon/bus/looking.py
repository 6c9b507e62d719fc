"""What an agent said, read for whoever asks by the bus: nothing is consumed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from descartes_core.bus.messages import LARGEST_PIECE, Offset, OutputQueryRequest, OutputQueryResponse, StreamName
from descartes_core.messages.common import Model
from descartes_daemon.agent import Agent
from descartes_daemon.bus.payloads import checked
from descartes_daemon.output_log import OutputLog

#: Lines of an answer where nobody says how many, and letters in all: a message has its bounds.
_LINES = 1000
_MOST_LETTERS = 2_000_000
#: What is looked through in one go.
_PIECE = 1024 * 1024

Data = dict[str, Any]


class Read(Model):
    """Read bytes: from an offset, or of the end; else from the beginning of what is still there."""

    offset: Offset | None = None
    tail: Offset | None = None
    limit: Annotated[int, Field(ge=1, le=LARGEST_PIECE)] = 65_536


class LastLines(Model):
    """Read the last lines of each stream."""

    max_lines: Annotated[int, Field(ge=0, le=100_000)] = 100
    stdout: bool = True
    stderr: bool = True
    filter: Annotated[str, StringConstraints(max_length=1000)] | None = None


class Follow(Model):
    """Tell where a stream is, which is then to be sent under credit."""

    stream: StreamName = "stdout"
    offset: Offset | None = None


def piece(agent: Agent, stream: StreamName, payload: Data) -> Data:
    """Return a piece of one stream, as bytes."""
    asked, log = checked(Read, payload), agent.stream(stream)
    asked_for = log.begin if asked.tail is None else max(log.begin, log.size - asked.tail)
    offset, why = _past_gaps(log, asked_for if asked.offset is None else min(asked.offset, log.size))
    data = log.read(offset, asked.limit)
    return {
        "data": data,
        "bytes": len(data),
        "offset": offset,
        "next_offset": offset + len(data),
        "size": log.size,
        "ended": log.is_ended,
        **({} if why is None else {"gap": why}),
    }


def place(agent: Agent, payload: Data) -> Data:
    """Return where a stream can be followed from, and how long it is."""
    asked = checked(Follow, payload)
    log = agent.stream(asked.stream)
    offset = log.begin if asked.offset is None else max(log.begin, min(asked.offset, log.size))
    return {"stream": asked.stream, "offset": offset, "size": log.size}


async def last_lines(agent: Agent, payload: Data) -> Data:
    """Return the last lines of each stream that fit, without control sequences."""
    asked = checked(LastLines, payload)
    streams = {"stdout": asked.stdout, "stderr": asked.stderr and agent.errors is not None}
    logs = {name: agent.stream(name) for name, is_wanted in streams.items() if is_wanted}

    def look(log: OutputLog) -> list[str]:
        # Without a filter nobody looks through what comes before.
        begin = log.offset_of_tail(asked.max_lines) if asked.filter is None else log.begin
        found = _Tail(asked.max_lines)
        found.take(_lines(log, asked.filter, begin))
        return found.lines

    told = {name: await asyncio.to_thread(look, log) for name, log in logs.items()}
    return {"stdout": told.get("stdout", []), "stderr": told.get("stderr", [])}


async def query(agent: Agent, request: OutputQueryRequest) -> OutputQueryResponse:
    """Look through all that is still there."""
    wanted = {"stdout", "stderr"} if request.stream == "both" else {request.stream}
    if request.stream == "stderr":
        agent.stream("stderr")  # refused where there is none
    logs = [log for log in agent.logs if log.stream in wanted]
    limit = _LINES if request.limit is None else request.limit
    found = await asyncio.to_thread(_page, logs, request.filter, request.offset or 0, limit)
    return OutputQueryResponse(
        request_id=request.request_id,
        agent_id=request.agent_id,
        success=True,
        lines=tuple(found.lines),
        total_lines=found.total,
        has_more=found.total > (request.offset or 0) + len(found.lines),
    )


@dataclass
class _Page:
    lines: list[str] = field(default_factory=list)
    total: int = 0


def _page(logs: Iterable[OutputLog], expression: str | None, skip: int, limit: int) -> _Page:
    page, letters = _Page(), 0
    for line in (line for log in logs for line in _lines(log, expression, log.begin)):
        page.total += 1
        if page.total > skip and len(page.lines) < limit and letters < _MOST_LETTERS:
            page.lines.append(line)
            letters += len(line)
    return page


class _Tail:
    """The last lines of many."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.lines: list[str] = []

    def take(self, lines: Iterator[str]) -> None:
        """Keep the last ones of these."""
        while more := list(islice(lines, 10_000)):
            self.lines = (self.lines + more)[-self._most :] if self._most else []
        while sum(map(len, self.lines)) > _MOST_LETTERS:
            del self.lines[0]


def _lines(log: OutputLog, expression: str | None, begin: int) -> Iterator[str]:
    """Yield the whole lines of a log that fit; in a thread."""
    # Only now: few ask for it, and its import takes memory.
    from descartes_daemon.line_filter import LineFilter

    looking, offset = LineFilter(expression or ""), begin
    while True:
        offset, _ = _past_gaps(log, offset)
        found = looking.look(log, offset, _PIECE)
        yield from (line.text for line in found.lines)
        if found.is_unfinished or found.next_offset == offset:
            return
        offset = found.next_offset


def _past_gaps(log: OutputLog, offset: int) -> tuple[int, str | None]:
    why = None
    while (gap := log.gap(offset)) is not None:
        offset, why = gap.end, why or gap.reason
    return offset, why
