"""The page of all methods."""

from __future__ import annotations

from fields import FieldDoc, fields_of, models_within
from http_page import counters_part, http_part, seed_part
from pydantic import BaseModel
from tables import table

from descartes_core import methods
from descartes_core.errors import DeadlineOver, DescartesError, InvalidParams, Unauthorized
from descartes_core.messages.common import Model


def method_reference() -> str:
    """Return the page."""
    parts = [
        "# Methods\n\n"
        "One table of methods, `descartes_core/methods.py`, is behind every door: the daemon's Unix socket "
        "(newline-delimited JSON-RPC 2.0) and HTTP (plain, or JSON-RPC 2.0; with the token). "
        "[protocol.md](protocol.md) has how a daemon is found, its Unix socket and WebSockets, "
        "[errors.md](errors.md) the errors. Any method may also answer "
        + ", ".join(_error_link(error) for error in (InvalidParams, Unauthorized, DeadlineOver))
        + ". Unknown parameters are refused.\n\n"
        + "".join(f"- [`{name}`](#{_anchor(name)})\n" for name in methods.METHODS),
        http_part(),
    ]
    parts += [_method(method) for method in methods.METHODS.values()]
    parts.append("## Objects\n")
    parts += [f"### {model.__name__}\n\n{_doc(model)}\n\n{_fields(model)}" for model in _objects()]
    return "\n".join([*parts, counters_part(), seed_part()])


def _method(method: methods.Method) -> str:
    errors = ", ".join(_error_link(error) for error in method.errors) or "none of its own"
    return (
        f"## {method.name}\n\n{method.doc}\n\n"
        f"Parameters:\n\n{_fields(method.request)}\n"
        f"Reply — {_doc(method.reply)}\n\n{_fields(method.reply)}\n"
        f"Errors: {errors}.\n"
    )


def _objects() -> list[type[BaseModel]]:
    names: dict[str, None] = {}
    for method in methods.METHODS.values():
        for model in (method.request, method.reply):
            names |= dict.fromkeys(models_within(model))
    known = {model.__name__: model for model in _all_models(Model)}
    return [known[name] for name in sorted(names)]


def _all_models(root: type[BaseModel]) -> list[type[BaseModel]]:
    return [found for child in root.__subclasses__() for found in (child, *_all_models(child))]


def _doc(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip()


def _fields(model: type[BaseModel]) -> str:
    rows = [_row(field) for field in fields_of(model)]
    return table(("name", "type", "default", ""), rows) if rows else "None.\n"


def _row(field: FieldDoc) -> tuple[str, str, str, str]:
    return f"`{field.name}`", field.type, field.default, field.text


def _anchor(name: str) -> str:
    return name.replace(".", "")


def _error_link(error: type[DescartesError]) -> str:
    return f"[`{error.code}`](errors.md#{error.code})"
