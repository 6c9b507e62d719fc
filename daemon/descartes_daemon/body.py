"""What is open for an agent whose program, or something it left, may still speak."""

from __future__ import annotations

import abc
import asyncio
from collections.abc import Callable

from descartes_core import kept
from descartes_core.errors import NotHere
from descartes_daemon.ending import all_ended
from descartes_daemon.input_pipe import InputPipe
from descartes_daemon.keys import Keys
from descartes_daemon.recorder import Plumbing, Recorder, close_pipe
from descartes_daemon.terminal import Terminal
from descartes_local.processes import Process

#: How long a log may be drained after the exit when others still hold the terminal (seconds).
_DRAIN_DEADLINE = 1.0
_NO_TERMINAL = "this agent has no terminal: descartes logs -f shows what it says, descartes send writes to it"


class Body(abc.ABC):
    """A terminal, or a stdin and two files."""

    #: How its output is taken: splice, copy, file (its program writes itself), or bus.
    way: str

    def notice(self, *, drops_when_full: bool) -> str | None:
        """Return what a person should know of how its output is stored."""
        del drops_when_full
        return None

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of its terminal.

        Raises:
            NotHere: it has none.

        """
        raise NotHere(_NO_TERMINAL)

    def resize(self, rows: int, cols: int) -> None:
        """Give its terminal another size; its program hears of that.

        Raises:
            NotHere: it has none.

        """
        del rows, cols
        raise NotHere(_NO_TERMINAL)

    @property
    @abc.abstractmethod
    def keys(self) -> Keys:
        """What is typed into."""

    @property
    @abc.abstractmethod
    def parts(self) -> dict[str, int]:
        """What is to be in keeping, by part; its process comes besides."""

    @abc.abstractmethod
    async def drain(self) -> None:
        """Now that the program has ended: wait until all that it said itself is in its log."""

    @abc.abstractmethod
    async def silence(self) -> None:
        """Wait until nobody can say anything more."""

    @abc.abstractmethod
    def close(self) -> None:
        """Close all of it."""


class TerminalBody(Body):
    """A terminal, whose output a recorder moves into the log."""

    def __init__(self, terminal: Terminal, plumbing: Plumbing, recorder: Recorder) -> None:
        self._terminal, self._plumbing, self.recorder = terminal, plumbing, recorder

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns, as the kernel has them."""
        return self._terminal.size

    def resize(self, rows: int, cols: int) -> None:
        """Set them."""
        self._terminal.resize(rows, cols)

    @property
    def keys(self) -> Keys:
        """The terminal's keyboard."""
        return self._terminal.keys

    @property
    def way(self) -> str:  # type: ignore[override]
        """Splice or copy."""
        return self.recorder.way

    def notice(self, *, drops_when_full: bool) -> str | None:
        """Return what keeps the recorder."""
        trouble = self.recorder.trouble
        if trouble is None:
            return None
        goes_on = drops_when_full and trouble == "disk full"
        what = "what it says is lost until there is room" if goes_on else "it waits until its log can be written"
        return f"{trouble}: {what}"

    @property
    def parts(self) -> dict[str, int]:
        """Master and pipe."""
        pipes = self._plumbing
        return {kept.MASTER: pipes.master, kept.PIPE_OUT: pipes.pipe_out, kept.PIPE_IN: pipes.pipe_in}

    async def drain(self) -> None:
        """Let the terminal hang up, and wait for that, unless somebody else still holds it."""
        self._terminal.let_go()
        try:
            async with asyncio.timeout(_DRAIN_DEADLINE):
                await self.recorder.finished.wait()
        except TimeoutError:
            return

    async def silence(self) -> None:
        """Wait until the last one has let go of the terminal."""
        self._terminal.let_go()
        await self.recorder.finished.wait()

    def close(self) -> None:
        """Close it; the terminal's programs then get a hang-up."""
        self.recorder.stop()
        self._terminal.close()
        close_pipe(self._plumbing)


class StreamsBody(Body):
    """A pipe to stdin; stdout and stderr are files, and need nobody."""

    way = "file"

    def __init__(self, keys: InputPipe, writers: Callable[[], set[Process]]) -> None:
        self._keys = keys
        #: Finds the processes that may still write: nothing else tells of them.
        self._writers = writers

    @property
    def keys(self) -> Keys:
        """The pipe."""
        return self._keys

    @property
    def parts(self) -> dict[str, int]:
        """The pipe, while its end was not said."""
        return {} if self._keys.descriptor < 0 else {kept.STDIN: self._keys.descriptor}

    async def drain(self) -> None:
        """Nothing is on its way: what it wrote is in its files."""

    async def silence(self) -> None:
        """Wait until nobody of its tree is left."""
        while found := await asyncio.to_thread(self._writers):
            await all_ended(found)

    def close(self) -> None:
        """Close the pipe."""
        self._keys.close()
