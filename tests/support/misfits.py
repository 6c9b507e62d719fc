"""Parameters that fit a method, and all that do not, both made from the method's own schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from descartes_core.methods import METHODS

Schema = dict[str, Any]

#: One of each type that JSON has.
EACH_TYPE: dict[str, Any] = {
    "null": None,
    "boolean": True,
    "integer": 7,
    "number": 1.5,
    "string": "x",
    "array": [[[]]],
    "object": {"\0": {}},
}
#: What nobody may hold for a number of ours, on either side.
_TOO_SMALL, _TOO_LARGE = (-1, -(2**70), -(10**400)), (2**70, 10**400)


def fitting(method: str) -> dict[str, Any]:
    """Return parameters that fit: those that must be there."""
    schema = METHODS[method].request.model_json_schema()
    return {name: _fit(schema["properties"][name], schema) for name in schema.get("required", ())}


def misfits(method: str) -> Iterator[dict[str, Any]]:
    """Yield parameters with one thing wrong each: a field missing, unknown, of another type, too much or too little."""
    schema = METHODS[method].request.model_json_schema()
    right = fitting(method)
    yield {**right, "unknown": 1}
    for name in right:
        yield {key: value for key, value in right.items() if key != name}
    for name, field in schema.get("properties", {}).items():
        for wrong in _wrong(field, schema):
            yield {**right, name: wrong}


def _ways(schema: Schema, whole: Schema) -> list[Schema]:
    """Return what a schema allows, one type each."""
    if "$ref" in schema:
        return [whole["$defs"][schema["$ref"].rpartition("/")[2]]]
    return [way for part in schema["anyOf"] for way in _ways(part, whole)] if "anyOf" in schema else [schema]


def _type(way: Schema) -> str:
    return str(way.get("type", "string"))


def _fit(schema: Schema, whole: Schema) -> Any:
    way = _ways(schema, whole)[0]
    if "enum" in way:
        return way["enum"][0]
    match _type(way):
        case "integer" | "number":
            return way.get("minimum", 0)
        case "array":
            return [_fit(way["items"], whole)]
        case "object":
            return {}
        case "boolean":
            return False
    return "x"


def _wrong(schema: Schema, whole: Schema) -> Iterator[Any]:
    ways = _ways(schema, whole)
    if not any(way.keys() & {"type", "enum"} for way in ways):
        return  # any JSON fits
    types = {_type(way) for way in ways}
    fits = types | ({"integer"} if "number" in types else set())
    yield from (value for kind, value in EACH_TYPE.items() if kind not in fits)
    for way in ways:
        yield from _too_much(way)
        if _type(way) == "array":
            yield from ([wrong] for wrong in _wrong(way["items"], whole))
        for part in (way.get("additionalProperties"), way.get("propertyNames")):
            if isinstance(part, dict) and "pattern" in part:
                yield {"a\0b": "c"} if part is way.get("propertyNames") else {"a": "b\0c"}
        for name, inner in way.get("properties", {}).items():
            yield from ({name: wrong} for wrong in _wrong(inner, whole))


def _too_much(way: Schema) -> Iterator[Any]:
    if "maxLength" in way:
        yield "x" * (way["maxLength"] + 1)
    if way.get("minLength"):
        yield ""
    if "pattern" in way:
        yield "a\0b"
    if "enum" in way:
        yield "nonsense"
    if "minimum" in way:
        yield from (way["minimum"] - 1, *_TOO_SMALL)
    if "maximum" in way:
        yield from (way["maximum"] + 1, *_TOO_LARGE)
    if way.get("minItems"):
        yield []
