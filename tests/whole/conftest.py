"""A workspace, and somebody who sits at a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.person import Person
from tests.support.tmux import Tmux


@pytest.fixture
def shop(person: Person) -> Path:
    """Give a workspace that nobody has used yet."""
    return person.workspace("shop")


@pytest.fixture
def created(person: Person) -> Path:
    """Give a workspace that was made by us, and is known."""
    place = person.directory / "projects" / "shop"
    person.run("sessions", "create", place)
    return place


@pytest.fixture
def terminal(person: Person, shop: Path) -> Iterator[Tmux]:
    """Give a terminal with a shell in it, and a workspace to work in."""
    with closing(Tmux(person)) as opened:
        opened.begin()
        yield opened
