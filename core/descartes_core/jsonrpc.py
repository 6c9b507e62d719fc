"""JSON-RPC 2.0: what a request says, and how it is answered."""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple

from descartes_core.errors import DescartesError, InvalidParams, InvalidRequest, ParseError, from_wire


class Call(NamedTuple):
    """One call; `id` is None in a notification (`is_notification`) as well as where null was sent."""

    method: str
    params: dict[str, Any]
    id: str | int | float | None
    is_notification: bool


#: How deep lists and objects may be nested where nobody says otherwise.
DEEPEST = 64
#: How many values there may be: each takes a hundred times the memory and the time of its letters.
MOST_VALUES = 100_000


def parse(text: bytes | str, *, deepest: int = DEEPEST) -> Any:
    """Return the JSON value.

    Raises:
        ParseError: it is not JSON (RFC 8259, UTF-8), a key stands twice, a number is beyond what a double holds, it has
            too many values, or is nested deeper than allowed.

    """
    try:
        _check_shape(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text, deepest)
        value = (text.decode() if isinstance(text, bytes) else text).strip(" \t\r\n")
        if value.startswith("\ufeff"):
            raise ValueError("it begins with a byte order mark")
        return _decoded(value)
    except (ValueError, RecursionError) as error:
        raise ParseError(f"not JSON: {str(error)[:200]}") from error


def _decoded(value: str) -> Any:
    try:
        found, end = _DECODER.scan_once(value, 0)  # type: ignore[attr-defined] # typeshed leaves it out
    except StopIteration:
        end = -1
    # What `decode` does besides costs half as much again; it is left to say what is wrong.
    return found if end == len(value) else _DECODER.decode(value)


def _check_shape(text: bytes, deepest: int) -> None:
    """Refuse what is too large a tree before anything recurses into it; all of it runs at the pace of C."""
    opened = text.count(b"[") + text.count(b"{")
    if opened <= deepest and opened + text.count(b",") <= MOST_VALUES:
        return
    # Without escaped backslashes and quotes every second piece between quotes is a string.
    bare = text.replace(rb"\\", b"").replace(rb"\"", b"")
    if bare.count(b'"') > 4 * MOST_VALUES:  # a key and a text for each
        raise ValueError(f"it has more than {MOST_VALUES} values")
    outside = b"".join(bare.split(b'"')[::2])
    if sum(map(outside.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise ValueError(f"it has more than {MOST_VALUES} values")
    brackets = outside.translate(_ROUND, _NO_BRACKETS)
    if b"[" * (deepest + 1) in brackets:
        raise ValueError(f"nested deeper than {deepest}")
    for _ in range(deepest):
        # Each turn takes away the innermost level. What does not match is left to the decoder to refuse.
        shorter = brackets.replace(b"[]", b"")
        if len(shorter) == len(brackets):
            break
        brackets = shorter
    if b"[]" in brackets or brackets.count(b"[") > deepest:
        raise ValueError(f"nested deeper than {deepest}")


_ROUND = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits[:20]} is beyond every number")
    return number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        # What one reader takes from such an object another does not.
        raise ValueError("a key stands twice in an object")
    return value


#: Made once: with an option, json.loads makes a decoder at each call.
_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_object)


def call_of(value: Any) -> Call:
    """Return the call that a JSON value is.

    Raises:
        InvalidRequest: it is no JSON-RPC 2.0 request.
        InvalidParams: it is one, but its parameters have no names; its `id` is to be answered.

    """
    if not isinstance(value, dict) or value.get("jsonrpc") != "2.0":
        raise InvalidRequest('a request is an object with "jsonrpc": "2.0"')
    method, params = value.get("method"), value.get("params", {})
    if not isinstance(method, str):
        raise InvalidRequest('"method" must be a string')
    if not isinstance(params, dict | list):
        raise InvalidRequest('"params" must be an object')
    identity = value.get("id")
    is_number = isinstance(identity, int) or (isinstance(identity, float) and math.isfinite(identity))
    if isinstance(identity, bool) or not (is_number or isinstance(identity, str | None)):
        raise InvalidRequest('"id" must be a string or a number')
    if isinstance(params, list):
        raise InvalidParams('"params" must be an object: parameters have names here')
    return Call(method, params, identity, "id" not in value)


def request(method: str, params: dict[str, Any], identity: str | int) -> bytes:
    """Return one request as a line."""
    return json.dumps({"jsonrpc": "2.0", "id": identity, "method": method, "params": params}).encode() + b"\n"


def reply(identity: str | float | None, result: Any) -> bytes:
    """Return one answer as a line."""
    return json.dumps({"jsonrpc": "2.0", "id": identity, "result": result}).encode() + b"\n"


def result_of(answer: dict[str, Any]) -> Any:
    """Return what a peer answered.

    Raises:
        DescartesError: it refused; the class is the one that its code names.

    """
    if "error" in answer:
        told = answer["error"]
        raise from_wire(str(told.get("data", {}).get("code", "error")), str(told.get("message", "refused")))
    return answer["result"]


def error_object(error: DescartesError) -> dict[str, Any]:
    """Return what a client is told: `data.code` is the stable word."""
    return {"code": error.rpc, "message": error.message, "data": {"code": error.code, "status": error.status}}


def refusal(identity: str | float | None, error: DescartesError) -> bytes:
    """Return one refusal as a line."""
    return json.dumps({"jsonrpc": "2.0", "id": identity, "error": error_object(error)}).encode() + b"\n"
