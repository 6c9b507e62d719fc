"""Answers are written as JSON, whatever is in them."""

from __future__ import annotations

import json
import math

import pytest

from descartes_daemon.dumping import dumped, reply


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"a": [1, 2.0, 1e300, 10**30, None, True, 0.1]},
        {"quotes": '"\\/\x00\x1f\x7f', "far": "é\u2028\U0001f600"},
        {"a name that is no UTF-8": "/tmp/caf\udce9"},
    ],
)
def test_what_is_written_is_read_again(value: dict[str, object]) -> None:
    line = reply("1", value)
    assert line.count(b"\n") == 1, "an answer is one line"
    assert json.loads(line) == {"jsonrpc": "2.0", "id": "1", "result": value}


def test_a_number_that_json_has_no_word_for_is_written_as_json_writes_it() -> None:
    assert math.isnan(json.loads(dumped({"x": math.nan}))["x"])
