"""Show an agent's screen to whoever asks."""

from __future__ import annotations

from typing import Any

from descartes_core.messages.output import ReadScreen
from descartes_daemon.agents import Agents
from descartes_daemon.screens import Screens


class Showing:
    """The method that reads screens."""

    def __init__(self, agents: Agents, screens: Screens) -> None:
        self._agents = agents
        self._screens = screens

    async def screen(self, request: ReadScreen) -> dict[str, Any]:
        """agent.screen: what its terminal shows, now or when its log ended at an offset."""
        agent = await self._agents.find(request.agent_id)
        shown = await self._screens.at(agent, request.offset)
        cursor = {"row": shown.cursor_row, "col": shown.cursor_col, "visible": shown.cursor_visible}
        return {
            "format": request.format,
            "screen": shown.vt if request.format == "vt" else shown.text,
            "rows": shown.rows,
            "cols": shown.cols,
            "cursor": cursor if shown.is_exact else None,
            "alternate": shown.alternate,
            "title": shown.title,
            "offset": shown.offset,
            "source": "emulator" if shown.is_exact else "text",
        }
