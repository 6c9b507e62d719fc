from __future__ import annotations

import time

import pytest

from descartes_local.deadline import from_wall, to_wall


def test_a_deadline_comes_back_as_it_was_stored() -> None:
    deadline = time.monotonic() + 5.0
    assert from_wall(to_wall(deadline), 10.0) == pytest.approx(deadline, abs=0.5)


@pytest.mark.parametrize(("moved", "left"), [(-86_400.0, 10.0), (86_400.0, 0.0)])
def test_a_clock_that_was_set_puts_it_off_by_no_more_than_it_ever_was(
    monkeypatch: pytest.MonkeyPatch, moved: float, left: float
) -> None:
    stored = to_wall(time.monotonic() + 5.0)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + moved)
    assert from_wall(stored, 10.0) - time.monotonic() == pytest.approx(left, abs=0.5)
