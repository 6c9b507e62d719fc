"""Two ports, bound once."""

from __future__ import annotations

import socket

import pytest

from descartes_core.errors import PortsTaken
from descartes_orchestrator.supervisor.ports import TRIES, bind_pair, pairs


def test_the_two_ranges_never_meet() -> None:
    tried = list(pairs())
    assert tried[0] == (19280, 19380)
    assert len(tried) == TRIES
    assert len({port for pair in tried for port in pair}) == 2 * TRIES


def test_the_ranges_never_meet_wherever_they_begin() -> None:
    tried = list(pairs((30_010, 30_000)))
    assert len({port for pair in tried for port in pair}) == 2 * TRIES


def test_what_is_held_is_not_even_tried() -> None:
    first, second = bind_pair(bases=(21_000, 21_100))
    held = {first.getsockname()[1], second.getsockname()[1]}
    with first, second:
        third, fourth = bind_pair(bases=(21_000, 21_100), held=held)
    with third, fourth:
        assert held.isdisjoint({third.getsockname()[1], fourth.getsockname()[1]})


def test_half_a_pair_is_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        taken = stranger.getsockname()[1]
        first, second = bind_pair((21_555, taken), bases=(21_200, 21_300))
    with first, second:
        assert first.getsockname()[1] != 21_555


def test_a_stranger_on_every_address_is_seen() -> None:
    with socket.create_server(("0.0.0.0", 0)) as stranger:
        taken = stranger.getsockname()[1]
        first, second = bind_pair((taken, 21_556), bases=(21_200, 21_300))
    with first, second:
        assert first.getsockname()[1] != taken


def test_exhausted_ports_are_told() -> None:
    with pytest.raises(PortsTaken, match="65500 and 65501"):
        bind_pair(bases=(65_500, 65_501), held=range(65_500, 65_536))
