"""Who may ask what, by nothing but the name the hub put before it."""

from __future__ import annotations

import pytest

from descartes_core.bus.messages import Peer, Role
from descartes_core.errors import Forbidden
from descartes_daemon.agents import Agents
from descartes_daemon.bus.belonging import Belonging


def belonging(role: Role, agents: Agents, *known: Peer) -> Belonging:
    peers = {peer.name: peer for peer in known}
    return Belonging(agents, role, peers.get)


def peer(name: str, role: Role) -> Peer:
    return Peer(name=name, role=role, state="connected", key="k" * 40, since="2026-01-01T00:00:00Z")


@pytest.fixture
def agents() -> Agents:
    return None  # type: ignore[return-value] # no agent is looked for


def test_a_runner_nobody_has_heard_of_is_no_client(agents: Agents) -> None:
    ours = belonging("daemon", agents)
    assert ours.asker("ci#a1").owner is None
    for name in ("big", "laptop/1", "laptop/1#2", ""):
        with pytest.raises(Forbidden):
            ours.asker(name)


def test_who_is_known_is_what_the_hub_says(agents: Agents) -> None:
    ours = belonging("daemon", agents, peer("big#1", "runner"), peer("ci#1", "client"))
    assert ours.asker("ci#1").name == "ci#1"
    with pytest.raises(Forbidden):
        ours.asker("big#1")


def test_a_runner_hears_daemons_only(agents: Agents) -> None:
    there = belonging("runner", agents)
    assert there.asker("laptop/1").owner == "laptop/1"
    for name in ("big", "ci#a1", ""):
        with pytest.raises(Forbidden):
            there.asker(name)
