"""Make room for the next daemon of this session, while agents go on.

It is what a kill does, without anything half done: what was accepted is answered, what was typed is told exactly. Who
is cut off here, or comes meanwhile, waits at the doors, which are in keeping, and is served by the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sized

from descartes_core.agent_life import State
from descartes_core.errors import Unavailable
from descartes_daemon.assembly import Daemon
from descartes_daemon.typist import Typist
from descartes_local.probe import reached

_log = logging.getLogger(__name__)

#: A spawn takes some milliseconds; what takes longer, like the end of an agent with a long grace, is asked again.
_PATIENCE = 3.0
#: What is written to connections leaves within this time, or its reader takes nothing.
_LAST_WORDS = 1.0
_LOOK = 0.005


def hindrance(daemon: Daemon) -> str | None:
    """Say why agents would not outlive this daemon; None where they would."""
    if not daemon.keeping.has_keeper:
        return "nobody keeps its agents"
    # What is only beginning has not run yet: its helper waits for the word, or is in keeping.
    alone = [one.row.name for one in daemon.agents.living if not one.is_kept and one.row.state != State.INITIALIZING]
    return f"agents are not in keeping: {', '.join(alone[:5])}" if alone else None


async def give_way(daemon: Daemon, unix: asyncio.Server, stop_web: asyncio.Event) -> None:
    """Answer what was accepted, tell what was typed, and leave everything else to the next daemon."""
    unix.close()
    daemon.dispatcher.is_held = True
    daemon.dispatcher.give_up_reads()
    reached("daemon.giving_way")
    if not await daemon.dispatcher.settle(_PATIENCE):
        _log.warning("something takes longer than %g s: the next daemon goes on with it", _PATIENCE)
    daemon.upkeep.is_handed_on = True
    with contextlib.suppress(Unavailable):  # a full disk does not keep a daemon from ending
        await daemon.tell("daemon_stopping", staying=[agent.id for agent in daemon.agents.living], reason="restart")
    await _settle_pens(daemon)
    daemon.bus.settle()
    daemon.door.close()
    await _turns()
    stop_web.set()
    await _turns()
    daemon.dispatcher.give_up_reads()  # what was begun at other doors meanwhile
    await _until_gone(daemon.door.connections)
    reached("daemon.gave_way")


async def _settle_pens(daemon: Daemon) -> None:
    """Type nothing more, and tell each who types how much of it was typed."""
    agents = list(daemon.agents.present.values())
    await asyncio.gather(*(agent.body.keys.halt() for agent in agents if agent.body is not None))
    for agent in agents:
        if isinstance(agent.pen, Typist):
            agent.pen.settle()


async def _until_gone(connections: Sized) -> None:
    """Wait until all have gone that were closed: what was written to them has left."""
    ends = asyncio.get_running_loop().time() + _LAST_WORDS
    while len(connections):
        if asyncio.get_running_loop().time() > ends:
            _log.info("%d connections do not take what they were answered", len(connections))
            return
        await asyncio.sleep(_LOOK)


async def _turns() -> None:
    """Let the loop send what there is to be sent."""
    for _ in range(3):
        await asyncio.sleep(0)
