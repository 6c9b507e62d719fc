"""Read what a model says of its fields: type, default, comment."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from descartes_local.field_comments import comments_of


@dataclass(frozen=True, slots=True)
class FieldDoc:
    """One field, as a reference shows it."""

    name: str
    type: str
    default: str
    text: str


def fields_of(model: type[BaseModel]) -> list[FieldDoc]:
    """Return the fields of a model in their order, those of its parents first."""
    schema = model.model_json_schema()
    comments = _all_comments(model)
    needed = set(schema.get("required", []))
    return [
        FieldDoc(
            name,
            type_text(part),
            "" if name in needed else _written(model.model_fields[name].default),
            comments.get(name, ""),
        )
        for name, part in schema.get("properties", {}).items()
    ]


def models_within(model: type[BaseModel]) -> list[str]:
    """Return the names of the other models a model is made of."""
    return list(model.model_json_schema().get("$defs", {}))


def type_text(schema: dict[str, Any]) -> str:
    """Return a JSON schema in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(type_text(part) for part in schema["anyOf"])
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    return _plain(schema) + _limits(schema)


def _plain(schema: dict[str, Any]) -> str:
    kind = "bytes" if schema.get("format") == "binary" else schema.get("type", "anything")
    if kind == "array":
        return f"list of {type_text(schema['items'])}"
    if kind == "object":
        inside = schema.get("additionalProperties")
        return f"object of {type_text(inside)}" if isinstance(inside, dict) else "object"
    return str(kind)


def _limits(schema: dict[str, Any]) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f" from {_number(least)} to {_number(most)}"
    if least is not None:
        return f", at least {least:g}"
    if "maxLength" in schema:
        return f" of at most {schema['maxLength']} characters"
    return f", at most {schema['maxItems']}" if "maxItems" in schema else ""


def _number(number: float) -> str:
    """Return it in full: 1048576, not 1.04858e+06."""
    return str(number) if isinstance(number, int) else f"{number:.15g}"


def _written(value: Any) -> str:
    if isinstance(value, BaseModel):
        return "its own defaults"
    return f"`{json.dumps(value.decode() if isinstance(value, bytes) else value, ensure_ascii=False)}`"


def _all_comments(model: type[BaseModel]) -> dict[str, str]:
    found: dict[str, str] = {}
    for kind in reversed(model.__mro__):
        if issubclass(kind, BaseModel) and kind is not BaseModel and kind.__module__.startswith("descartes"):
            found |= comments_of(kind)
    return found
