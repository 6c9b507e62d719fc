"""Loud agents share a bounded time of each turn, and leave turns to everybody else."""

from __future__ import annotations

import time

import pytest

from descartes_daemon import loudness
from descartes_daemon.loudness import Loudness


def listened_to(one: Loudness) -> None:
    one.begin()
    while not one.is_enough():
        pass
    one.end()


def test_who_has_more_to_say_than_it_may_waits_some_turns() -> None:
    one = Loudness()
    try:
        listened_to(one)
        assert [one.waits() for _ in range(8)] == [True] * 6 + [False] * 2
    finally:
        one.close()


def test_who_says_little_never_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loudness, "_BURST", 3600.0)
    one = Loudness()
    one.begin()
    assert not one.is_enough()
    one.end()
    assert not one.waits()


def test_all_that_are_loud_share_one_burst(monkeypatch: pytest.MonkeyPatch) -> None:
    several = [Loudness() for _ in range(4)]
    try:
        for one in several:
            listened_to(one)
        monkeypatch.setattr(loudness, "_BURST", 4 * 3600.0)
        several[0].begin()
        assert several[0]._until - time.perf_counter() < 3600.0
        several[3].close()
        several[0].begin()
        assert several[0]._until - time.perf_counter() > 3600.0
    finally:
        for one in several:
            one.close()
    assert not Loudness._loud
