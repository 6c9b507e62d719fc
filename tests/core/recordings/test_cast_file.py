from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.recordings.cast_file import LONGEST_LINE, CastFile, WrongCast
from descartes_core.recordings.forms import Cast
from descartes_core.recordings.moments import Moment

values = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["o", "r", "80x24", "x"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["version", "width", "term", "stdout"]), inner)
    ),
    max_leaves=8,
)


def lines(*found: Any) -> list[str]:
    return [f"{json.dumps(one)}\n" for one in found]


@pytest.mark.parametrize("number", ["1" + "0" * 400, "1e400", "-5", "NaN", '"7"', "0"])
def test_a_size_that_is_none_is_the_usual_one_or_the_nearest(number: str) -> None:
    cast = CastFile([f'{{"version": 2, "width": {number}, "height": {number}}}\n'], began=1.0)
    assert cast.size == ((1, 1) if number == "-5" else (24, 80))


def test_a_header_has_its_bound() -> None:
    with pytest.raises(WrongCast, match="line 1: it is too long"):
        CastFile([" " * LONGEST_LINE + "{}"], began=1.0)


def test_times_never_go_back_and_sizes_are_real() -> None:
    cast = CastFile(
        lines(
            {"version": 2, "width": 99999, "height": 0},
            [2, "o", "a"],
            [1, "o", "b"],
            [3, "r", "0x70000"],
            [4, "r", "x"],
            [5, "z", ""],
        ),
        began=10.0,
    )
    assert list(cast.moments()) == [
        Moment(10.0, "size", size=(24, 1000)),
        Moment(12.0, "out", b"a"),
        Moment(12.0, "out", b"b"),
        Moment(13.0, "size", size=(1000, 80)),
    ]
    assert (cast.left_out, cast.events, cast.ended) == ({"sizes": 1, "others": 1}, 5, 15.0)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**6),
            st.sampled_from(["out", "in"]),
            st.text(st.characters(codec="utf-8"), min_size=1, max_size=9),
        ),
        max_size=20,
    )
)
def test_what_is_written_is_read_as_it_was(events: list[tuple[int, str, str]]) -> None:
    moments = [Moment(1_700_000_000.0, "size", size=(20, 70))]
    moments += [Moment(1_700_000_000 + at / 64, kind, text.encode()) for at, kind, text in sorted(events)]  # type: ignore[arg-type]
    form = Cast("it", 0.0)
    told = "".join(map(form.take, moments)) + form.end()
    cast = CastFile([f"{one}\n" for one in told.split("\n")], began=0.0)
    assert [(round(one.at, 5), *one[1:]) for one in cast.moments()] == [(round(one.at, 5), *one[1:]) for one in moments]


@given(st.lists(values, max_size=5) | st.lists(st.text(max_size=20)))
def test_nothing_but_what_it_says_comes_of_nonsense(found: list[Any]) -> None:
    texts = lines({"version": 2}, *found) if found and not isinstance(found[0], str) else [str(one) for one in found]
    for given_lines in (texts, texts[1:]):
        with contextlib.suppress(WrongCast):
            list(CastFile(given_lines, began=0.0).moments())


@pytest.mark.parametrize(
    "wrong", [[float("inf"), "o", "x"], [1e300, "o", "x"], ["1", "o", "x"], [True, "o", "x"], [1, 2, "x"], {}]
)
def test_a_line_that_is_no_event_is_told_by_its_number(wrong: Any) -> None:
    with pytest.raises(WrongCast, match=r"^line 3: "):
        list(CastFile(lines({"version": 2}, [0, "o", "x"], wrong), began=0.0).moments())
