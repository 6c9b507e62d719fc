"""Make a program paint its screen anew, where no emulator knows what it shows."""

from __future__ import annotations

import asyncio

from descartes_daemon.agent import Agent

#: A program paints when its size changes; so it is another one for this long (seconds).
_NUDGE = 0.05


async def make_paint(agent: Agent) -> None:
    """Give its terminal one row less for a moment, then the size it is to have."""
    if agent.body is None:
        return
    body, rows, cols = agent.body, agent.row.rows, agent.row.cols
    nudged = (rows - 1 if rows > 1 else rows + 1), cols
    body.resize(*nudged)
    try:
        await asyncio.sleep(_NUDGE)
    finally:
        # Whoever else came meanwhile may have given it a size, and it may have ended.
        if agent.body is not None and body.size == nudged:
            body.resize(agent.row.rows, agent.row.cols)
