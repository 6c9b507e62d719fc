"""The HTTP door described for programs: OpenAPI 3.1, made from the table of methods."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic.json_schema import models_json_schema

from descartes_core import VERSION
from descartes_core.errors import (
    Conflict,
    DeadlineOver,
    DescartesError,
    Forbidden,
    InternalError,
    InvalidParams,
    InvalidRequest,
    LimitReached,
    ParseError,
    TooLarge,
    Unauthorized,
    Unavailable,
)
from descartes_core.messages.common import Change
from descartes_core.methods import METHODS, Method

#: What turns a connection into something else has no place in HTTP.
UNIX_ONLY = frozenset({"agent.attach"})

#: What any path may answer before it is looked at, and what any call may come to.
_AT_THE_DOOR = (Unauthorized, Forbidden, LimitReached, TooLarge, InternalError)
_ANY_CALL = (*_AT_THE_DOOR, ParseError, InvalidRequest, InvalidParams, Unavailable, DeadlineOver)

_REF = "#/components/schemas/{model}"
_JSON = "application/json"

Json = dict[str, Any]


def document(url: str | None = None) -> Json:
    """Return the whole description; `url` is where this daemon's HTTP port is."""
    called = [method for method in METHODS.values() if method.name not in UNIX_ONLY]
    paths = {f"/rpc/{method.name}": {"post": _call(method)} for method in called}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Descartes",
            "version": VERSION,
            "summary": "One session's daemon.",
            "description": "Every method: as plain JSON under /rpc/METHOD, and as JSON-RPC 2.0 at /rpc.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": url}] if url else [],
        "security": [{"token": []}],
        "paths": paths | _others(),
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "The content of ~/.descartes/token."}
            },
            "schemas": _schemas(METHODS.values()),
        },
    }


def _schemas(methods: Iterable[Method]) -> Json:
    models = {method.request: None for method in methods} | {method.reply: None for method in methods}
    _, found = models_json_schema([(model, "validation") for model in models], ref_template=_REF)
    return {**found["$defs"], **_OWN}


def _call(method: Method) -> Json:
    body = {"content": {_JSON: {"schema": _ref(method.request.__name__)}}}
    # A request id that was another method's.
    more = (*method.errors, Conflict) if issubclass(method.request, Change) else method.errors
    needed = any(field.is_required() for field in method.request.model_fields.values())
    return {
        "operationId": method.name,
        "summary": method.doc,
        "tags": [method.name.partition(".")[0]],
        "requestBody": {**body, "required": needed},
        "responses": {"200": _reply(method.reply.__doc__, _ref(method.reply.__name__)), **_errors(more)},
    }


def _errors(more: Iterable[type[DescartesError]], usual: Iterable[type[DescartesError]] = _ANY_CALL) -> Json:
    by_status: dict[int, list[type[DescartesError]]] = {}
    for error in dict.fromkeys((*more, *usual)):
        for one in (error, *_below(error)) if error in more else (error,):
            by_status.setdefault(one.status, []).append(one)
    return {
        str(status): _reply(", ".join(dict.fromkeys(error.code for error in errors)), _ref("Refusal"))
        for status, errors in sorted(by_status.items())
    }


def _below(error: type[DescartesError]) -> list[type[DescartesError]]:
    return [found for child in error.__subclasses__() for found in (child, *_below(child))]


def _others() -> Json:
    """Return what is no method of its own, or has a short name besides."""
    health, stats = METHODS["system.health"], METHODS["system.stats"]
    shutdown = METHODS["system.shutdown"]
    return {
        "/rpc": {
            "post": {
                "operationId": "rpc",
                "summary": "JSON-RPC 2.0: one call, or an array of them, which are done in order.",
                "requestBody": {"required": True, "content": {_JSON: {"schema": _ref("JsonRpc")}}},
                "responses": {
                    "200": _reply("The answer, errors too; an array for an array.", _ref("JsonRpcAnswer")),
                    "204": {"description": "There were notifications only."},
                    **_errors((), _AT_THE_DOOR),
                },
            }
        },
        "/health": {
            "get": {
                "operationId": "health",
                "summary": health.doc,
                "security": [],
                "responses": {
                    "200": _reply("It works.", _ref("Health")),
                    "503": _reply("It does not: `status` says why.", {"anyOf": [_ref("Health"), _ref("Refusal")]}),
                    **_errors((), (Forbidden, LimitReached, TooLarge, InternalError)),
                },
            }
        },
        "/stats": {"get": _look("stats", stats.doc, {_JSON: {"schema": _ref("Stats")}})},
        "/metrics": {
            "get": _look("metrics", METHODS["system.metrics"].doc, {"text/plain": {"schema": {"type": "string"}}})
        },
        "/openapi.json": {"get": _look("openapi", "This description.", {_JSON: {"schema": {"type": "object"}}})},
        "/shutdown": {"post": _call(shutdown) | {"operationId": "shutdown"}},
    }


def _look(name: str, about: str, content: Json) -> Json:
    answers = {"200": {"description": about, "content": content}, **_errors((), (*_AT_THE_DOOR, Unavailable))}
    if name == "metrics":
        answers |= {"404": _reply("not_found: server.enable_metrics is false", _ref("Refusal"))}
    return {"operationId": name, "summary": about, "responses": answers}


def _reply(about: str | None, schema: Json) -> Json:
    return {"description": (about or "").strip(), "content": {_JSON: {"schema": schema}}}


def _ref(name: str) -> Json:
    return {"$ref": _REF.format(model=name)}


_ERROR: Json = {
    "type": "object",
    "required": ["code", "message", "data"],
    "properties": {
        "code": {"type": "integer", "description": "JSON-RPC 2.0 error code."},
        "message": {"type": "string", "description": "The sentence for people."},
        "data": {
            "type": "object",
            "required": ["code", "status"],
            "properties": {
                "code": {"type": "string", "description": "The stable word for programs (docs/errors.md)."},
                "status": {"type": "integer", "description": "HTTP status."},
            },
        },
    },
}

_ID: Json = {"type": ["string", "number", "null"]}

_CALL: Json = {
    "type": "object",
    "required": ["jsonrpc", "method"],
    "properties": {
        "jsonrpc": {"const": "2.0"},
        "method": {"type": "string"},
        "params": {"type": "object", "description": "Parameters have names."},
        "id": {**_ID, "description": "Absent: a notification, which is not answered."},
    },
}

_ONE_ANSWER: Json = {
    "type": "object",
    "required": ["jsonrpc", "id"],
    "properties": {"jsonrpc": {"const": "2.0"}, "id": _ID, "result": {"type": "object"}, "error": _ref("Error")},
    "oneOf": [{"required": ["result"]}, {"required": ["error"]}],
}

#: What is part of no method.
_OWN: Json = {
    "Error": _ERROR,
    "Refusal": {"type": "object", "required": ["error"], "properties": {"error": _ref("Error")}},
    "JsonRpcCall": _CALL,
    "JsonRpc": {
        "anyOf": [
            _ref("JsonRpcCall"),
            {"type": "array", "minItems": 1, "maxItems": 100, "items": _ref("JsonRpcCall")},
        ]
    },
    "JsonRpcOneAnswer": _ONE_ANSWER,
    "JsonRpcAnswer": {"anyOf": [_ref("JsonRpcOneAnswer"), {"type": "array", "items": _ref("JsonRpcOneAnswer")}]},
}
