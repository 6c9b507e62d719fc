"""Somebody keeps what a daemon has, whatever answers at the supervisor's socket."""

from __future__ import annotations

import pytest

from tests.support.kept_daemon import kept_daemon
from tests.support.person import Person


def test_a_nonsensical_answer_is_not_the_last_try(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEEPER_IS_STRANGE", "yes")
    with kept_daemon(person) as daemon:
        daemon.until("watched")
        assert daemon.call("session.info")["session"]["notices"] == []
