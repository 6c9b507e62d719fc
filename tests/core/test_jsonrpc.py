from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.errors import AgentNotFound, DescartesError, InvalidRequest, ParseError
from descartes_core.jsonrpc import Call, call_of, error_object, parse, refusal, reply, request, result_of

_VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5)


@given(st.text(min_size=1), st.dictionaries(st.text(), _VALUES), st.integers() | st.text())
def test_a_request_is_read_as_it_was_made(method: str, params: dict[str, Any], identity: int | str) -> None:
    line = request(method, params, identity)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert call_of(parse(line)) == Call(method, params, identity, is_notification=False)


def test_a_notification_has_no_id() -> None:
    assert call_of({"jsonrpc": "2.0", "method": "m"}) == Call("m", {}, None, is_notification=True)
    assert not call_of({"jsonrpc": "2.0", "method": "m", "id": None}).is_notification


@pytest.mark.parametrize("text", [b"", b"{", b"nul", b"NaN", b"[-Infinity]", b"\xff", "[" * 200_000])
def test_what_is_not_json_is_told(text: bytes | str) -> None:
    with pytest.raises(ParseError, match="not JSON"):
        parse(text)


@pytest.mark.parametrize(
    "value",
    [
        None,
        1,
        [],
        {},
        {"jsonrpc": "1.0", "method": "m"},
        {"jsonrpc": "2.0"},
        {"jsonrpc": "2.0", "method": 1},
        {"jsonrpc": "2.0", "method": "m", "params": [1]},
        {"jsonrpc": "2.0", "method": "m", "id": {}},
        {"jsonrpc": "2.0", "method": "m", "id": True},
        {"jsonrpc": "2.0", "method": "m", "id": float("inf")},  # 1e999 is valid JSON, and read as this
    ],
)
def test_what_is_no_request_is_refused(value: Any) -> None:
    with pytest.raises(InvalidRequest):
        call_of(value)


def test_answers_are_lines() -> None:
    assert json.loads(reply(3, {"a": [1]})) == {"jsonrpc": "2.0", "id": 3, "result": {"a": [1]}}
    assert json.loads(refusal(None, AgentNotFound("no x")))["error"] == {
        "code": -32002,
        "message": "no x",
        "data": {"code": "agent_not_found", "status": 404},
    }


def test_an_error_tells_its_sentence_when_it_has_no_message() -> None:
    assert error_object(DescartesError())["message"] == "Something went wrong."


def test_an_answer_is_a_result_or_the_error_it_tells() -> None:
    assert result_of(json.loads(reply(1, {"a": 1}))) == {"a": 1}
    with pytest.raises(AgentNotFound, match="no such agent"):
        result_of(json.loads(refusal(1, AgentNotFound("no such agent"))))
