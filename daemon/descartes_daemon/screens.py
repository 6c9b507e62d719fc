"""What an agent's terminal shows, now or at any offset of its log."""

from __future__ import annotations

from dataclasses import dataclass

from descartes_core.errors import InvalidParams
from descartes_daemon.agent import Agent
from descartes_daemon.first_screen import guess


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
    #: Up to which byte of the log this is true.
    offset: int
    #: Whether an emulator made it: else it is text without control sequences, and a program may have to paint anew.
    is_exact: bool
    #: Whether the program asked for pastes in brackets (mode 2004).
    bracketed_paste: bool


class Screens:
    """Shows screens; what nobody looks at costs nothing."""

    async def at(self, agent: Agent, offset: int | None = None) -> Shown:
        """Return the screen as it is now, or was when the log ended at this offset.

        Raises:
            InvalidParams: the offset lies beyond what there is.

        """
        end = agent.log.size if offset is None else offset
        if end > agent.log.size:
            raise InvalidParams(f"offset {end} lies beyond the {agent.log.size} bytes there are")
        rows, cols = agent.row.rows, agent.row.cols
        found = guess(agent.log, rows, end)
        return Shown(
            vt=found.vt,
            text=found.text,
            rows=rows,
            cols=cols,
            cursor_row=0,
            cursor_col=0,
            cursor_visible=found.cursor_visible,
            alternate=found.alternate,
            title="",
            offset=end,
            is_exact=False,
            bracketed_paste=found.bracketed_paste,
        )
