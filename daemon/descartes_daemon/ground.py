"""What the rooms of a daemon stand on that are loaded only when they are needed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from descartes_daemon.agents import Agents
from descartes_daemon.background import Background
from descartes_daemon.feed import Feed
from descartes_daemon.setup import Setup
from descartes_daemon.store import Store


@dataclass(frozen=True, slots=True)
class Ground:
    """The session's own parts, for a room that was opened."""

    setup: Setup
    store: Store
    agents: Agents
    feed: Feed
    background: Background
    #: What people are told of the session (`session.info`), by `tell_people(text, instead_of=…)`.
    tell_people: Callable[..., None]
    #: Stores and tells a SystemEvent about the daemon itself.
    tell: Callable[..., Awaitable[None]]
