"""One start under way, here or elsewhere."""

from __future__ import annotations

import abc
import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any, Protocol

from descartes_core.messages.agents import Spawn
from descartes_daemon.agent import Agent
from descartes_daemon.agent_row import AgentRow
from descartes_daemon.launch import Order
from descartes_daemon.unit import Unit


class Start(abc.ABC):
    """A program between its intent and its running; whoever has it closes it."""

    @abc.abstractmethod
    def beside(self) -> list[Coroutine[Any, Any, None]]:
        """Return what is done while the intent is committed."""

    @abc.abstractmethod
    async def run(self) -> None:
        """Start it; return once it runs.

        Raises:
            DescartesError: it does not, and will not later.

        """

    @property
    @abc.abstractmethod
    def evidence(self) -> str:
        """What was seen when it ran."""

    def facts(self, unit: Unit) -> Unit:
        """Add what is then known to what is committed."""
        return unit

    @property
    def known(self) -> Mapping[str, Any]:
        """What its row has besides, as `facts` stores it, and lists show it."""
        return {}

    @abc.abstractmethod
    def begun(self) -> None:
        """Hold it within its limits, now that it is stored that it runs."""

    @abc.abstractmethod
    def close(self) -> None:
        """Give back what only the start needed; what does not run yet never will."""


class Starter(abc.ABC):
    """A place where programs can be started."""

    #: The runner and its key; None: here.
    host: str | None = None
    host_key: str | None = None

    @abc.abstractmethod
    def order(self, request: Spawn, identity: str) -> Order:
        """Return what is to be started, and in which surroundings."""

    @abc.abstractmethod
    def begin(self, agent: Agent, order: Order, *, patience: float | None) -> Start:
        """Begin, as far as nothing runs by it.

        Args:
            agent: whom.
            order: as `order` returned it.
            patience: how long its start may take (seconds); None: as long as is usual there.

        Raises:
            SpawnFailed: something cannot be had; nothing is left open.

        """


class Machines(Protocol):
    """Other machines that agents may run on; what reaches them is loaded only where there is a bus, or was one."""

    async def place(self, request: Spawn) -> Starter:
        """Return where an agent is to be started; wait for that where it was asked for."""

    def adopt(self, rows: Iterable[AgentRow]) -> None:
        """Go on with agents of an earlier daemon that run there."""

    async def ask(self, agents: list[Agent]) -> None:
        """Ask how these are now, those of them that run there; who does not answer soon is not waited for."""

    def connect(self, bus: Any) -> None:
        """Reach them by this bus from now on."""


async def all_of(*steps: Coroutine[Any, Any, None]) -> None:
    """Do all at once and each to its end; only then raise the first one's failure."""
    for outcome in await asyncio.gather(*steps, return_exceptions=True):
        if outcome is not None:
            raise outcome
