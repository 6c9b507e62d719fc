"""The page of all messages of the bus."""

from __future__ import annotations

from typing import get_args

from fields import fields_of, models_within
from pydantic import BaseModel
from tables import table

from descartes_core.bus import messages
from descartes_core.bus.asked import ANSWER_TO

_HEAD = (
    "# Messages of the bus\n\n"
    "Made from `descartes_core/bus/messages.py`; [the bus](bus.md) says who tells what to whom, and what the payloads "
    f"are. Protocol version {messages.PROTOCOL_VERSION}. Each message is one msgpack map with `type` in it; what has a "
    "default may be left out, and what is null is. Ignore fields you do not know: newer versions have more. "
    "*string* is msgpack's str, *bytes* its bin, *object* a map with strings as keys, *list* an array.\n\n"
)


def message_reference() -> str:
    """Return the page."""
    kinds = get_args(get_args(messages.AnyMessage)[0])
    inside = dict.fromkeys(name for kind in kinds for name in models_within(kind))
    parts = [_HEAD + "".join(f"- [`{_type(kind)}`](#{_type(kind)})\n" for kind in kinds)]
    parts += [f"## {_type(kind)}\n\n{_doc(kind)}{_answer(kind)}\n\n{_fields(kind)}" for kind in kinds]
    parts.append("## Objects\n")
    parts += [f"### {name}\n\n{_doc(getattr(messages, name))}\n\n{_fields(getattr(messages, name))}" for name in inside]
    return "\n".join(parts)


def _type(kind: type[BaseModel]) -> str:
    return str(kind.model_fields["type"].default)


def _doc(kind: type[BaseModel]) -> str:
    return (kind.__doc__ or "").strip()


def _answer(kind: type[BaseModel]) -> str:
    answer = ANSWER_TO.get(kind)
    return f" Answered by [`{_type(answer)}`](#{_type(answer)})." if answer is not None else ""


def _fields(kind: type[BaseModel]) -> str:
    rows = [(f"`{one.name}`", one.type, "" if one.name == "type" else one.default, one.text) for one in fields_of(kind)]
    rows.sort(key=lambda row: row[0] != "`type`")
    return table(("name", "type", "default", ""), rows)
