from __future__ import annotations

import time

import pytest

from descartes_core.expressions import compiled


def test_it_finds_as_res_do() -> None:
    expression = compiled(r"a(\d+)|b")
    assert [found.span(0) for found in expression.finditer("ü a12 b")] == [(2, 5), (6, 7)]
    assert expression.groups == 1


@pytest.mark.parametrize("text", ["(", "[", "a**", r"(a)\1"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no regular expression"):
        compiled(text)


def test_no_expression_takes_long() -> None:
    began = time.perf_counter()
    assert list(compiled(r"(a|aa)+$").finditer("a" * 10_000 + "b")) == []
    assert time.perf_counter() - began < 5
