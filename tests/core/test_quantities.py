"""What people write as an amount is read, and what is told can be read back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.quantities import brief_bytes, brief_seconds, read_bytes, read_seconds

G = 1024**3


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("2G", 2 * G),
        ("2g", 2 * G),
        ("2GiB", 2 * G),
        ("1.5G", 3 * G // 2),
        ("512 MB", G // 2),
        ("0", 0),
        ("1048576", 1 << 20),
    ],
)
def test_amounts_of_memory(text: str, count: int) -> None:
    assert read_bytes(text) == count


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("0.5s", 0.5),
        ("30m", 1800),
        ("2h", 7200),
        ("1.5h", 5400),
        ("1h30m", 5400),
        ("2d", 172_800),
    ],
)
def test_times(text: str, seconds: float) -> None:
    assert read_seconds(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "G", "-1G", "1X", "1e9", "nan", "inf", "2 G B", "\u0661G", "1G1M", "9" * 19, "0x10"]
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no amount of memory"):
        read_bytes(text)


@pytest.mark.parametrize("text", ["", "h", "-1h", "1w", "30m1h", "1h1h", "1.5h30m", "nan", "inf", "1e3", "2h soon"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        read_seconds(text)


@given(st.integers(0, 1 << 60))
def test_a_told_amount_is_read_back_nearly(count: int) -> None:
    assert read_bytes(brief_bytes(count)) == pytest.approx(count, rel=0.05)


@given(st.integers(1, 1023), st.sampled_from("KMGT"))
def test_whole_units_are_read_back_exactly(number: int, unit: str) -> None:
    assert brief_bytes(read_bytes(f"{number}{unit}")) == f"{number}{unit}"


@given(st.floats(0, 1e8))
def test_a_told_time_is_read_back_nearly(seconds: float) -> None:
    assert read_seconds(brief_seconds(seconds)) == pytest.approx(seconds, rel=0.05, abs=0.5)


@given(st.text(max_size=30), st.sampled_from([read_bytes, read_seconds]))
def test_nothing_but_a_value_or_a_refusal_comes_of_a_text(text: str, read: Callable[[str], float]) -> None:
    with contextlib.suppress(ValueError):
        assert 0 <= read(text) < 1e32
