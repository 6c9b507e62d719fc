"""The runners, as far as the bus reaches them now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from descartes_core.bus.link import LinkState
from descartes_core.bus.messages import (
    CommandType,
    ControlCommand,
    CustomActionRequest,
    Message,
    Payload,
    Peer,
    Request,
    Welcome,
)
from descartes_core.errors import Unavailable
from descartes_core.ids import new_id
from descartes_daemon.agent import Agent

#: The role of who runs agents.
RUNNER = "runner"


class Bus(Protocol):
    """What is used of `bus.dealer.Bus`, which loads zmq."""

    @property
    def peers(self) -> Mapping[str, Peer]:
        """Who is there."""

    @property
    def state(self) -> LinkState:
        """How we stand to the hub."""

    @property
    def welcome(self) -> Welcome | None:
        """What the hub last greeted us with."""

    async def ask(self, message: Request, to: str = "", *, timeout: float) -> Message:
        """Return the answer, however often it must be asked for."""

    def tell(self, message: Message, to: str = "") -> bool:
        """Send it once, now."""

    def set_pace(self, secs: float | None) -> None:
        """Beat only each `secs`, or (None) as often as the hub asks for."""

    def subscribe(
        self,
        *,
        on_message: Callable[[str, Message], None] | None = None,
        on_peer: Callable[[Peer], None] | None = None,
        on_state: Callable[[LinkState], None] | None = None,
    ) -> None:
        """Call these, in the loop."""


class Runners:
    """Asks and tells them, each by the key that an agent was started with."""

    def __init__(self) -> None:
        #: None while this session belongs to no bus.
        self.bus: Bus | None = None

    @property
    def is_connected(self) -> bool:
        """Whether the hub is there."""
        return self.bus is not None and self.bus.state is LinkState.CONNECTED

    @property
    def peers(self) -> Mapping[str, Peer]:
        """Who is there, as the hub last told."""
        return {} if self.bus is None else self.bus.peers

    @property
    def patience(self) -> float:
        """How long the hub may be silent before it is lost (seconds)."""
        welcome = None if self.bus is None else self.bus.welcome
        return 6.0 if welcome is None else welcome.heartbeat_secs * welcome.misses

    def set_pace(self, secs: float | None) -> None:
        """Beat only each `secs`, or (None) as often as the hub asks for."""
        if self.bus is not None:
            self.bus.set_pace(secs)

    def why_not(self, host: str, key: str | None) -> str | None:
        """Say why this runner cannot be spoken to; None where it can."""
        if self.bus is None:
            return f"it runs on {host}, and this session is at no hub"
        if not self.is_connected:
            return f"it runs on {host}, and there is no connection with the hub"
        peer = self.peers.get(host)
        if peer is None or peer.role != RUNNER:
            return f"the hub knows no runner {host} any more"
        if key is not None and peer.key != key:
            return f"runner {host} answers under another key than the one this agent was started with"
        return None if peer.state == "connected" else f"runner {host} is {peer.state} since {peer.since}"

    def is_gone(self, agent: Agent) -> bool:
        """Say whether the hub, which is there, knows nobody who has this agent's key."""
        peer = self.peers.get(agent.row.host or "")
        return self.is_connected and (peer is None or peer.key != agent.row.host_key)

    def reach(self, agent: Agent) -> bool:
        """Say whether an agent's own runner can be spoken to."""
        return agent.row.host is not None and self.why_not(agent.row.host, agent.row.host_key) is None

    async def ask(self, agent: Agent, request: Request, *, timeout: float) -> Message:
        """Return what an agent's runner answers.

        Raises:
            Unavailable: it is not the one that the agent was started with, or there is no bus.
            DescartesError: as `Bus.ask`.

        """
        host, key = agent.row.host or "", agent.row.host_key
        peer = self.peers.get(host)
        if self.bus is None or (peer is not None and key is not None and peer.key != key):
            raise Unavailable(f"agent {agent.called}: {self.why_not(host, key)}")
        return await self.bus.ask(request, host, timeout=timeout)

    async def command(
        self,
        agent: Agent,
        what: CommandType,
        payload: Payload | None = None,
        *,
        timeout: float,
        request_id: str | None = None,
    ) -> Message:
        """Have one command done to an agent."""
        request = ControlCommand(
            request_id=request_id or new_id(), agent_id=agent.id, command_type=what, payload=payload
        )
        return await self.ask(agent, request, timeout=timeout)

    async def action(self, agent: Agent, what: str, params: Payload | None = None, *, timeout: float) -> Message:
        """Have something else done."""
        request = CustomActionRequest(request_id=new_id(), agent_id=agent.id, action=what, params=params)
        return await self.ask(agent, request, timeout=timeout)

    def tell(self, agent: Agent, message: Message) -> bool:
        """Tell an agent's runner something, once."""
        return self.bus is not None and self.reach(agent) and self.bus.tell(message, agent.row.host or "")
