"""A supervisor in a fresh HOME."""

from __future__ import annotations

import pytest

from tests.orchestrator.supervised import Supervised
from tests.support.person import Person


@pytest.fixture
def supervised(person: Person) -> Supervised:
    """Give a supervisor of speakers, not started yet."""
    return Supervised(person.home)
