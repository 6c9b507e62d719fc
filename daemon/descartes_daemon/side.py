"""Where an agent runs: what must be done there to it, whichever place that is."""

from __future__ import annotations

import abc
import signal

from descartes_daemon.agent import Agent


class Side(abc.ABC):
    """The hands that reach an agent, here or elsewhere; nothing above knows which."""

    #: Seconds that our own clock waits beyond the grace, where somebody nearer to the agent counts it as well.
    slack = 0.0

    def reaches(self, agent: Agent) -> bool:
        """Say whether what is done comes to it now; else it is done when it is found again."""
        del agent
        return True

    @abc.abstractmethod
    async def ask_to_end(self, agent: Agent) -> None:
        """Send the agent's own stop signal to all of its tree, after a last look at what it takes."""

    @abc.abstractmethod
    async def kill_tree(self, agent: Agent) -> None:
        """Kill all of it, now."""

    @abc.abstractmethod
    async def pause_tree(self, agent: Agent) -> None:
        """Stop all of it until it is continued."""

    @abc.abstractmethod
    async def continue_tree(self, agent: Agent) -> None:
        """Let all of it go on."""

    @abc.abstractmethod
    async def remember(self, agent: Agent) -> None:
        """End a lost one, now or when it is found."""

    @abc.abstractmethod
    async def finish(self, agent: Agent) -> None:
        """Ask what an ended agent left behind, and kill it after the grace; recorded till then, and let go of."""

    @abc.abstractmethod
    async def end_tree(self, agent: Agent) -> None:
        """End what there is of an agent's tree: asked, and killed after the grace."""

    @abc.abstractmethod
    async def kill_rest(self, agent: Agent) -> None:
        """Kill what is left of an ended agent now."""

    @abc.abstractmethod
    async def environment(self, agent: Agent) -> dict[str, str]:
        """Return what its process began with, without the values of secrets.

        Raises:
            Refused: it does not run.
            NotHere: the system does not tell.
            Unavailable: it cannot be reached.

        """

    @abc.abstractmethod
    async def signal(self, agent: Agent, number: signal.Signals) -> None:
        """Send one signal to the program itself.

        Raises:
            Refused: it has ended.

        """
