"""A hub, and peers that leave at the end."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.hubs import Dealer, RunningHub, running_hub


@pytest.fixture
def directory() -> Iterator[Path]:
    """Give a short directory: a socket lies in it."""
    with tempfile.TemporaryDirectory(prefix="h", dir="/tmp") as made:
        yield Path(made)


@pytest.fixture(scope="module")
def one_hub() -> Iterator[RunningHub]:
    """Give a hub to all tests of a file."""
    with tempfile.TemporaryDirectory(prefix="h", dir="/tmp") as made, running_hub(Path(made)) as running:
        yield running


@pytest.fixture
def hub(one_hub: RunningHub) -> Iterator[RunningHub]:
    """Give a hub that runs and knows nobody."""
    one_hub.run_again()
    yield one_hub
    one_hub.run_again()
    for name in {peer["name"].partition("/")[0].partition("#")[0] for peer in one_hub.ask("hub.peers")["peers"]}:
        one_hub.ask("hub.revoke", name=name)


@pytest.fixture
def peer(hub: RunningHub) -> Iterator[Callable[..., Dealer]]:
    """Give a way to connect by a key."""
    with contextlib.ExitStack() as stack:
        yield lambda *how: stack.enter_context(Dealer(hub, *how))
