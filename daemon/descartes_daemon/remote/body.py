"""What is open here for an agent that runs elsewhere."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from descartes_core.agent_life import State
from descartes_core.bus.messages import AgentInfo, Credit, Output, Payload
from descartes_core.errors import DescartesError
from descartes_daemon.agent import Agent
from descartes_daemon.agent_row import AgentRow
from descartes_daemon.background import Background
from descartes_daemon.body import Body
from descartes_daemon.remote.keys import RemoteKeys
from descartes_daemon.remote.runners import Runners
from descartes_daemon.remote.stream import Stream

_log = logging.getLogger(__name__)

#: A runner that does not answer to another size within this has the next one, or none (seconds).
_RESIZE_PATIENCE = 30.0


class RemoteBody(Body):
    """Logs that are written here, and what the runner last said."""

    way = "bus"

    def __init__(self, agent: Agent, runners: Runners, background: Background) -> None:
        self._agent, self._runners, self._background = agent, runners, background
        self._keys = RemoteKeys(
            self._type, lambda work: background.start(work, f"type {agent.id}"), has_terminal=agent.row.tty
        )
        self.streams = {log.stream: Stream(log, self._credit) for log in agent.logs}
        #: What the runner last said, and the state it told since the last thing that was asked of it.
        self.info: AgentInfo | None = None
        self.said: State | None = None
        self.follower: asyncio.Task[None] | None = None
        #: How much was asked of the runner and is not answered yet.
        self.asked = 0
        #: The row with which it was last found that nothing is to be asked again.
        self.settled: AgentRow | None = None
        #: Whether its start is under way, and nothing but that counts.
        self.is_starting = False
        #: Why it is lost.
        self.why_lost: str | None = None
        #: Set when nothing of its tree is left there, or nobody there knows it.
        self.gone = asyncio.Event()
        self._size = agent.row.rows, agent.row.cols
        self._resizing: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Open the logs.

        Raises:
            OSError: one cannot be; none is open then.

        """
        try:
            for log in self._agent.logs:
                log.open()
        except OSError:
            for log in self._agent.logs:
                log.close()
            raise

    def open_some_time(self) -> None:
        """Open those that can be opened, and try again with the others."""
        for stream in self.streams.values():
            stream.open()

    def notice(self, *, drops_when_full: bool) -> str | None:
        """Return why it is lost, what keeps its output, or what its runner has to say."""
        del drops_when_full  # it waits at the runner, whose own room is what counts
        if self._agent.row.state is State.LOST and self.why_lost is not None:
            return self.why_lost
        troubles = [stream.trouble for stream in self.streams.values() if stream.trouble is not None]
        if troubles:
            return f"{troubles[0]}: what it says waits on {self._agent.row.host}"
        return None if self.info is None else self.info.notice

    @property
    def keys(self) -> RemoteKeys:
        """What is typed into."""
        return self._keys

    @property
    def parts(self) -> dict[str, int]:
        """Nothing is to be kept: it does not depend on this machine."""
        return {}

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns, as they were last asked for."""
        return self._size

    def resize(self, rows: int, cols: int) -> None:
        """Ask for another size; of several in a row the last one counts."""
        self._size = rows, cols
        if self._resizing is None or self._resizing.done():
            self._resizing = self._background.start(self._resize(), f"size of {self._agent.id}")

    async def _resize(self) -> None:
        told = None
        while told != self._size:
            rows, cols = told = self._size
            try:
                size = {"rows": rows, "cols": cols}
                await self._runners.action(self._agent, "resize", size, timeout=_RESIZE_PATIENCE)
            except DescartesError as error:
                _log.info("agent %s has no other size: %s", self._agent.id, error)

    async def _type(self, payload: Payload, *, timeout: float, request_id: str) -> object:
        if self._resizing is not None and not self._resizing.done():
            await asyncio.wait([self._resizing], timeout=_RESIZE_PATIENCE)  # the size was asked for first
        return await self._runners.command(self._agent, "write_stdin", payload, timeout=timeout, request_id=request_id)

    def _credit(self, stream: str, offset: int, until: int) -> bool:
        given = {"agent_id": self._agent.id, "stream": stream, "offset": offset, "until": until}
        return self._runners.tell(self._agent, Credit.model_validate(given))

    def came(self, piece: Output) -> None:
        """Take a piece of what it said."""
        if (stream := self.streams.get(piece.stream)) is not None:
            stream.came(piece)

    def ask(self) -> None:
        """Ask for what comes behind the logs' ends."""
        for stream in self.streams.values():
            stream.ask()

    async def drain(self) -> None:
        """Wait for what its program itself said, as far as that is known."""
        info = self.info
        sizes = {} if info is None else {"stdout": info.stdout_bytes, "stderr": info.stderr_bytes}
        for name, stream in self.streams.items():
            await stream.reach(sizes.get(name, 0))

    async def silence(self) -> None:
        """Wait until nobody can say anything more."""
        for stream in self.streams.values():
            await stream.finished.wait()

    def close(self) -> None:
        """Wait for nothing more."""
        self._keys.close()
        for stream in self.streams.values():
            stream.close()
        self.gone.set()


def body_of(agent: Agent) -> RemoteBody | None:
    """Return what is open for an agent elsewhere; None where it has ended and was let go of."""
    return agent.body if isinstance(agent.body, RemoteBody) else None


def known_of(agent: Agent, info: AgentInfo) -> dict[str, Any]:
    """Return what a row takes over of what a runner says when the program runs."""
    limited_by = info.limited_by if info.limited_by in ("cgroup", "daemon", "both") else None
    return {"pid": info.pid, "cwd": info.cwd or agent.row.cwd, "limited_by": limited_by}
