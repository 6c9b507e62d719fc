"""JSON-RPC 2.0: what a request says, and how it is answered."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from descartes_core.errors import DescartesError, InvalidRequest, ParseError, from_wire


@dataclass(frozen=True, slots=True)
class Call:
    """One call; `id` is None in a notification (`is_notification`) as well as where null was sent."""

    method: str
    params: dict[str, Any]
    id: str | int | float | None
    is_notification: bool


def parse(text: bytes | str) -> Any:
    """Return the JSON value.

    Raises:
        ParseError: it is not JSON, or nested too deeply to be meant.

    """
    try:
        return _DECODER.decode(text.decode() if isinstance(text, bytes) else text)
    except (ValueError, RecursionError) as error:
        raise ParseError(f"not JSON: {str(error)[:200]}") from error


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


#: Made once: with an option, json.loads makes a decoder at each call.
_DECODER = json.JSONDecoder(parse_constant=_refuse)


def call_of(value: Any) -> Call:
    """Return the call that a JSON value is.

    Raises:
        InvalidRequest: it is no JSON-RPC 2.0 request by name with named parameters.

    """
    if not isinstance(value, dict) or value.get("jsonrpc") != "2.0":
        raise InvalidRequest('a request is an object with "jsonrpc": "2.0"')
    method, params = value.get("method"), value.get("params", {})
    if not isinstance(method, str):
        raise InvalidRequest('"method" must be a string')
    if not isinstance(params, dict):
        raise InvalidRequest('"params" must be an object: parameters have names here')
    identity = value.get("id")
    is_number = isinstance(identity, int) or (isinstance(identity, float) and math.isfinite(identity))
    if isinstance(identity, bool) or not (is_number or isinstance(identity, str | None)):
        raise InvalidRequest('"id" must be a string or a number')
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
