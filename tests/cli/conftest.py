"""A workspace."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.person import Person


@pytest.fixture
def shop(person: Person) -> Path:
    """Give a workspace that nobody has used yet."""
    return person.workspace("shop")
