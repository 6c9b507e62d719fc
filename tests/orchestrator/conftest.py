"""A home with one session in it; a supervisor in a fresh HOME."""

from __future__ import annotations

from pathlib import Path

import pytest

from descartes_local.home import Home
from descartes_orchestrator import sessions
from descartes_orchestrator.sessions import Session
from tests.orchestrator.supervised import Supervised
from tests.support.person import Person


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Give a home that nobody has made yet; HOME is another one."""
    return Home(tmp_path / "home")


@pytest.fixture
def shop(home: Home, tmp_path: Path) -> Session:
    """Give a session that is known and was never started."""
    return sessions.create(home, tmp_path / "projects" / "shop")


@pytest.fixture
def supervised(person: Person) -> Supervised:
    """Give a supervisor of speakers, not started yet."""
    return Supervised(person.home)
