"""What people write for a point in time."""

from __future__ import annotations

import time

import click
import pytest

from descartes_cli.options import Moment
from descartes_core import times


@pytest.mark.parametrize(("text", "ago"), [("90s", 90.0), ("30m", 1800.0), ("1h30m", 5400.0), ("2d", 172_800.0)])
def test_an_age_is_a_time_before_now(text: str, ago: float) -> None:
    told = Moment().convert(text, None, None)
    assert isinstance(told, str)
    assert times.read(told) == pytest.approx(time.time() - ago, abs=5.0)


def test_a_time_is_given_on_as_every_door_writes_it() -> None:
    assert Moment().convert("2026-11-22T08:00Z", None, None) == "2026-11-22T08:00:00.000000Z"
    assert Moment().convert("2026-11-22T09:00+01:00", None, None) == "2026-11-22T08:00:00.000000Z"


def test_a_plain_number_is_a_seq_where_that_is_meant() -> None:
    assert Moment(or_seq=True).convert("120", None, None) == 120


@pytest.mark.parametrize("text", ["yesterday", "", "1x", "-3h", "99999999d", "2026-13-01"])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="an age like"):
        Moment(or_seq=True).convert(text, None, None)
