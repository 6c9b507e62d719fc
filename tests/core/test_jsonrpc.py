from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.errors import AgentNotFound, DescartesError, InvalidParams, InvalidRequest, ParseError
from descartes_core.jsonrpc import MOST_VALUES, Call, call_of, error_object, parse, refusal, reply, request, result_of

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.text('[]{}"\\'),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.text(min_size=1), st.dictionaries(st.text(), _VALUES), st.integers() | st.text())
def test_a_request_is_read_as_it_was_made(method: str, params: dict[str, Any], identity: int | str) -> None:
    line = request(method, params, identity)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert call_of(parse(line)) == Call(method, params, identity, is_notification=False)


def test_a_notification_has_no_id() -> None:
    assert call_of({"jsonrpc": "2.0", "method": "m"}) == Call("m", {}, None, is_notification=True)
    assert not call_of({"jsonrpc": "2.0", "method": "m", "id": None}).is_notification


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"{", b"nul", b"NaN", b"[-Infinity]", b"\xff", b"1e999", b"01", b"9" * 5000),
        *(b'{"a": 1, "a": 2}', b'"a\nb"', b'"\\x00"', b"{} {}", "\ufeff{}".encode(), '"a"'.encode("utf-16")),
        "[" * 200_000,
    ],
    ids=lambda text: str(text[:20]),
)
def test_what_is_not_json_is_told(text: bytes | str) -> None:
    with pytest.raises(ParseError, match="not JSON"):
        parse(text)


@given(_VALUES | st.dictionaries(st.text('[]{}"\\a', max_size=3), _VALUES), st.integers(1, 8))
def test_what_is_nested_too_deeply_is_refused_and_nothing_else_is(value: Any, deepest: int) -> None:
    text = json.dumps(value)
    if depth_of(value) <= deepest:
        assert parse(text, deepest=deepest) == value
    else:
        with pytest.raises(ParseError, match=f"deeper than {deepest}"):
            parse(text.encode(), deepest=deepest)


def depth_of(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth_of, inner), default=0)


@given(st.binary() | st.text('[]{}",:\\01-e.ntu \n').map(str.encode))
def test_any_bytes_are_a_value_or_a_parse_error(text: bytes) -> None:
    try:
        value = parse(text)
    except ParseError:
        return
    assert parse(json.dumps(value)) == value


@given(st.from_type(type(None)) | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text())
def test_an_id_comes_back_as_it_was_sent(identity: Any) -> None:
    line = json.dumps({"jsonrpc": "2.0", "method": "m", "id": identity})
    back = json.loads(reply(call_of(parse(line)).id, {}))["id"]
    assert (back, type(back)) == (identity, type(identity))


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
        {"jsonrpc": "2.0", "method": "m", "params": "x"},
        {"jsonrpc": "2.0", "method": "m", "params": None},
        {"jsonrpc": "2.0", "method": "m", "id": {}},
        {"jsonrpc": "2.0", "method": "m", "id": True},
        {"jsonrpc": "2.0", "method": "m", "id": float("inf")},
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


def test_parameters_without_names_are_told_apart_from_what_is_no_request() -> None:
    with pytest.raises(InvalidParams):
        call_of({"jsonrpc": "2.0", "id": 1, "method": "m", "params": [1]})
    with pytest.raises(InvalidRequest):
        call_of({"jsonrpc": "2.0", "id": True, "method": "m", "params": [1]})


MANY = MOST_VALUES + 1


@pytest.mark.parametrize("one", ["0,", "[],", "{},", '"",', '{"":1},', '"\\"[",', "[[[]]],"])
def test_more_values_than_may_be_are_refused_before_they_are_made(one: str) -> None:
    """Ten megabytes of them took two seconds, in which nobody else was answered."""
    with pytest.raises(ParseError, match=f"more than {MOST_VALUES} values"):
        parse(f"[{one * MANY}0]".encode())
    assert parse(f"[{one * (MOST_VALUES // 8)}0]")[-1] == 0


@pytest.mark.parametrize("text", ["," * MANY, "[{" * MANY, '"' * MANY * 5, '\\",' * MANY])
def test_what_stands_in_a_text_is_no_value(text: str) -> None:
    assert parse(json.dumps([text, [[[1]]]])) == [text, [[[1]]]]
