"""Tell that descriptors run short before it hurts, and start no agent then."""

from __future__ import annotations

import logging
import time

from descartes_core.errors import Shortage, Unavailable
from descartes_daemon.agents import Agents
from descartes_daemon.unit import Unit
from descartes_local.descriptors import free_descriptors, limit_of_descriptors

_log = logging.getLogger(__name__)

#: It is told while twice as many are free as an agent is started with, and over when thrice as many are.
_TOLD, _OVER = 2, 3


class Spare:
    """Looks at what is free whenever an agent is to be started, and at no other time."""

    def __init__(self, agents: Agents, least: int, notices: list[str]) -> None:
        self._agents = agents
        #: agents.spare_descriptors
        self._least = least
        #: The session's: what people should know.
        self._notices = notices
        self._notice: str | None = None

    def check(self) -> None:
        """Look, and tell where it becomes tight.

        Raises:
            Shortage: too few are free.

        """
        free = free_descriptors()
        if free is None or self._least == 0:
            return
        if free < self._least * _TOLD:
            self._tell(free)
        elif free >= self._least * _OVER and self._notice is not None:
            self._notices.remove(self._notice)
            self._notice = None
        if free < self._least:
            raise Shortage(
                f"{free} of the daemon's {limit_of_descriptors()} descriptors are free, and an agent is started with "
                f"{self._least} (agents.spare_descriptors): end some agents, or raise its limit (ulimit -n)"
            )

    def _tell(self, free: int) -> None:
        if self._notice is not None:
            return
        limit = limit_of_descriptors()
        self._notice = f"descriptors run short: {free} of {limit} were free; end some agents, or raise ulimit -n"
        self._notices.append(self._notice)
        _log.warning("%s", self._notice)
        self._agents.background.start(self._store(free, limit), "tell that descriptors run short")

    async def _store(self, free: int, limit: int) -> None:
        unit = Unit().event("SystemEvent", "descriptors_low", None, {"free": free, "limit": limit}, time.time())
        try:
            await self._agents.store.commit(unit)
        except Unavailable as error:
            _log.error("%s", error)
