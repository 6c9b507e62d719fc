"""What an agent's terminal shows, now or at any offset of its log."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from descartes_core.errors import InvalidParams, LimitReached, NotHere, Refused
from descartes_daemon.agent import Agent
from descartes_daemon.emulator import Emulator, Emulators, load
from descartes_daemon.first_screen import guess
from descartes_daemon.replay import Replay, TooLong, Wanted
from descartes_daemon.trying import trying

_log = logging.getLogger(__name__)

#: What paints a screen must fit into a message (a thousand lines of a thousand colours do not).
_LARGEST_VT = 2 * 1024 * 1024
#: Screens that may wait for their turn.
_MOST_MAKING = 256
#: An agent whose screen took too long gets none for a while (seconds): the others wait for the same thread.
_REST = 30.0


@dataclass(frozen=True, slots=True)
class Shown:
    """One screen, and what belongs to it."""

    #: Paints it in an empty terminal of the same size, and asks that terminal nothing.
    vt: str
    #: Its lines, as a person reads them.
    text: str
    rows: int
    cols: int
    #: From 0, from the top left.
    cursor_row: int
    cursor_col: int
    cursor_visible: bool
    #: Whether a full-screen program has switched to the alternate screen.
    alternate: bool
    title: str
    #: From where on the log goes on; a little before what was asked for, where that cuts a sequence.
    offset: int
    #: Whether an emulator made it: else it is text without control sequences, and a program may have to paint anew.
    is_exact: bool
    #: Whether the program asked for pastes in brackets (mode 2004).
    bracketed_paste: bool


class Screens:
    """Shows screens, one after the other, in one thread; what nobody looks at costs nothing."""

    def __init__(self, every: int) -> None:
        #: Bytes between two checkpoints.
        self._every = every
        self._thread = ThreadPoolExecutor(1, "screens")
        self._emulators: Emulators | None = None
        self._is_loaded = False
        #: Who asks for what is being made gets the same.
        self._making: dict[tuple[str, int, int, int], asyncio.Future[Shown]] = {}
        #: Whose took too long, and until when they rest (monotonic); used in the thread only.
        self._resting: dict[Path, float] = {}

    async def at(self, agent: Agent, offset: int | None = None) -> Shown:
        """Return the screen as it is now, or was when the log ended at this offset.

        Raises:
            NotHere: the agent has no terminal.
            InvalidParams: the offset lies beyond what there is.
            Refused: its output was removed.
            LimitReached: too many ask for too many.

        """
        wanted = _wanted(agent, offset)
        key = agent.id, wanted.end, wanted.rows * wanted.is_now, wanted.cols * wanted.is_now
        making = self._making.get(key)
        if making is None:
            if len(self._making) >= _MOST_MAKING:
                raise LimitReached(f"{_MOST_MAKING} screens are being made already: ask again")
            making = asyncio.get_running_loop().run_in_executor(self._thread, self._make, wanted)
            self._making[key] = making
            making.add_done_callback(lambda _: self._making.pop(key))
        # Shielded: who goes away does not take it from the others.
        return await asyncio.shield(making)

    def close(self) -> None:
        """Make no more."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _make(self, wanted: Wanted) -> Shown:
        if not self._is_loaded:
            self._emulators, self._is_loaded = load(), True
        if self._emulators is not None and not self._rests(wanted.log.directory):
            try:
                with trying(wanted.log.directory) as is_allowed:
                    if not is_allowed:
                        raise RuntimeError("two daemons died while they made it")
                    return _exact(self._emulators, wanted, self._every)
            except TooLong as error:
                self._resting[wanted.log.directory] = time.monotonic() + _REST
                _log.warning("for %.0f s no exact screen of %s: %s", _REST, wanted.log.directory.name, error)
            except (RuntimeError, OSError) as error:
                _log.warning("no exact screen of %s: %s", wanted.log.directory.name, error)
        return _guessed(wanted)

    def _rests(self, directory: Path) -> bool:
        now = time.monotonic()
        self._resting = {one: until for one, until in self._resting.items() if until > now}
        return directory in self._resting


def _wanted(agent: Agent, offset: int | None) -> Wanted:
    if not agent.row.tty:
        raise NotHere(f"agent {agent.called} has no terminal: look at its logs")
    if agent.row.collected_at is not None:
        raise Refused(f"the output of agent {agent.called} was {agent.log.begin_reason}")
    size = agent.log.size
    if offset is not None and offset > size:
        raise InvalidParams(f"offset {offset} lies beyond the {size} bytes there are")
    end = size if offset is None else offset
    return Wanted(agent.log, agent.log.index, end, agent.row.rows, agent.row.cols, is_now=offset is None)


def _exact(emulators: Emulators, wanted: Wanted, every: int) -> Shown:
    emulator = Replay(emulators, wanted, every).run()
    try:
        # Who goes on from here gets the whole of a sequence that is cut here: half of it would be text to a terminal.
        cut = emulator.pending()
        offset = wanted.end - len(cut)
        return _shown(emulator, offset if wanted.log.read_apart(max(offset, 0), len(cut)) == cut else wanted.end)
    finally:
        emulator.close()


def _shown(emulator: Emulator, offset: int) -> Shown:
    rows, cols = emulator.size
    row, col = emulator.cursor
    vt = emulator.snapshot()
    if len(vt) > _LARGEST_VT:
        raise RuntimeError(f"what paints it are {len(vt)} bytes")
    return Shown(
        vt=vt,
        text=emulator.text(),
        rows=rows,
        cols=cols,
        cursor_row=row,
        cursor_col=col,
        cursor_visible=emulator.cursor_visible,
        alternate=emulator.alternate,
        title=emulator.title,
        offset=offset,
        is_exact=True,
        bracketed_paste=emulator.mode(2004),
    )


def _guessed(wanted: Wanted) -> Shown:
    found = guess(wanted.log, wanted.rows, wanted.end)
    return Shown(
        vt=found.vt,
        text=found.text,
        rows=wanted.rows,
        cols=wanted.cols,
        cursor_row=0,
        cursor_col=0,
        cursor_visible=found.cursor_visible,
        alternate=found.alternate,
        title="",
        offset=wanted.end,
        is_exact=False,
        bracketed_paste=found.bracketed_paste,
    )
