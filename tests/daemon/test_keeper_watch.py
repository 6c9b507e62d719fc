"""Somebody keeps what a daemon has, whatever answers at the supervisor's socket."""

from __future__ import annotations

import pytest

from tests.support.kept_daemon import kept_daemon
from tests.support.person import Person
from tests.support.waiting import wait_until


@pytest.mark.parametrize("strange", ["[]", '"no answer"'])
def test_a_nonsensical_answer_is_not_the_last_try(
    person: Person, monkeypatch: pytest.MonkeyPatch, strange: str
) -> None:
    """One that is none at all is a fault that nobody foresaw: the watch ended by it, and nobody kept any more."""
    monkeypatch.setenv("KEEPER_IS_STRANGE", strange)
    with kept_daemon(person) as daemon:
        daemon.until("watched")
        # The keeper says so before the daemon has heard it.
        wait_until(lambda: not daemon.call("session.info")["session"]["notices"], "somebody keeps what it has")
