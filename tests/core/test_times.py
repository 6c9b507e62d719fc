from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.times import read, written, written_or_none


def test_times_are_written_as_the_original_does() -> None:
    assert written(0.0) == "1970-01-01T00:00:00.000000Z"
    assert written(1_765_000_000.25) == "2025-12-06T05:46:40.250000Z"


def test_what_has_not_happened_has_no_time() -> None:
    assert written_or_none(None) is None
    assert written_or_none(0.0) == written(0.0)


@given(st.floats(min_value=0, max_value=4e9))
def test_a_written_time_is_read_back(seconds: float) -> None:
    assert read(written(seconds)) == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize("text", ["1970-01-01T01:00:00+01:00", "1970-01-01T00:00:00", "1970-01-01 00:00:00Z"])
def test_other_spellings_are_understood(text: str) -> None:
    assert read(text) == 0.0


def test_what_is_no_time_is_refused() -> None:
    with pytest.raises(ValueError, match="yesterday"):
        read("yesterday")
