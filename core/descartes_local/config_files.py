"""Read configuration files, and say what is wrong where."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from descartes_core.errors import ConfigInvalid
from descartes_core.redaction import HIDDEN, is_secret_name
from descartes_local.config_places import PREFIX, environment_names
from descartes_local.regular_file import NotRegular, read_regular

_TABLE = re.compile(r"\s*\[+\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(r"\s*([\w.\"' -]+?)\s*=")


@dataclass(frozen=True, slots=True)
class Layer:
    """What one file says."""

    path: Path
    tables: dict[str, Any]
    #: Where the keys stand in it.
    text: str = ""
    #: Keys that it calls otherwise: ours → its own.
    said_as: Mapping[str, str] = field(default_factory=dict)
    #: What may stand in it and says nothing here.
    notes: tuple[str, ...] = ()

    def line_of(self, key: str) -> str:
        """Return `:LINE` of a key, or of the table it stands in; nothing where neither is found."""
        wanted = self.said_as.get(key, key).split(".")
        best, found = 0, ""
        for number, parts in _places(self.text):
            if best < len(parts) <= len(wanted) and parts == wanted[: len(parts)]:
                best, found = len(parts), f":{number}"
        return found

    def place(self, key: str) -> str:
        """Return the file, and the line where that is known."""
        return f"{self.path}{self.line_of(key)}"


def _places(text: str) -> Iterator[tuple[int, list[str]]]:
    """Walk over the tables and keys of a file: line and name."""
    table: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if found := _TABLE.match(line):
            table = _parts(found[1])
            yield number, table
        elif found := _KEY.match(line):
            yield number, [*table, *_parts(found[1])]


def _parts(name: str) -> list[str]:
    return [part.strip().strip("\"'") for part in name.split(".")]


def read_layers(paths: Iterable[Path], *, needed: Path | None = None) -> list[Layer]:
    """Return what the files say that are there, in the order given; the needed one must be there.

    Raises:
        ConfigInvalid: one cannot be read, or is not TOML.

    """
    layers = []
    for path in paths:
        try:
            text = read_regular(path).decode()
            layers.append(Layer(path, tomllib.loads(text), text))
        except (FileNotFoundError, NotADirectoryError) as error:
            if path == needed:
                raise ConfigInvalid(f"{path}: there is no such file") from error
        except OSError as error:
            raise ConfigInvalid(f"{path}: cannot be read: {error.strerror}") from error
        except NotRegular as error:
            raise ConfigInvalid(f"{path}: {error}") from error
        except (ValueError, RecursionError) as error:
            raise ConfigInvalid(f"{path}: not TOML: {error}") from error
    return layers


def merged(layers: Sequence[Layer]) -> dict[str, Any]:
    """Return what all layers say together, per key; earlier ones win."""
    together: dict[str, Any] = {}
    for layer in reversed(layers):
        together = _over(layer.tables, together)
    return together


def _over(upper: Mapping[str, Any], lower: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(lower)
    for key, value in upper.items():
        below = both.get(key)
        both[key] = _over(value, below) if isinstance(value, dict) and isinstance(below, dict) else value
    return both


def variable_of(where: Sequence[str], names: Sequence[str] | None = None) -> str | None:
    """Return the variable that is set for a key, None when there is none; who asks for many keys gives the names."""
    wanted = (PREFIX + "__".join(where)).upper()
    names = environment_names() if names is None else names
    return next((name for name in names if name.upper() == wanted and os.environ[name]), None)


def environment_complaints(model: type[BaseModel]) -> list[str]:
    """Tell of variables that name a section there is none of: nothing else would tell of the typing error."""
    sections = ((name, name[len(PREFIX) :].partition("__")[0].lower()) for name in environment_names())
    return [
        f"environment variable {name}: unknown section; {_allowed(model)}"
        for name, section in sections
        if section not in model.model_fields
    ]


def complaints(
    error: ValidationError,
    model: type[BaseModel],
    layers: Sequence[Layer],
    *,
    hint: Callable[[str], str] = lambda _: "",
) -> list[str]:
    """Return all that is wrong: each names the file or variable, the key, and what is allowed.

    `hint` adds to an unknown key what to use instead.
    """
    return [_complaint(dict(found), model, layers, hint) for found in error.errors(include_url=False)]


def unknown_sections(
    layers: Sequence[Layer], model: type[BaseModel], *, hint: Callable[[str], str] = lambda _: ""
) -> list[str]:
    """Return a complaint for each section there is none of by its exact name.

    pydantic-settings takes a name in any case: what may not be said as [agents] would come in as [AGENTS].
    """
    unknown = dict.fromkeys(section for layer in layers for section in layer.tables)
    found = [{"loc": (section,), "type": "extra_forbidden"} for section in unknown if section not in model.model_fields]
    return [_complaint(one, model, layers, hint) for one in found]


def _complaint(
    found: Mapping[str, Any], model: type[BaseModel], layers: Sequence[Layer], hint: Callable[[str], str]
) -> str:
    where = [str(part) for part in found["loc"]]
    key = ".".join(where)
    source = _source(where, layers)
    if found["type"] == "extra_forbidden":
        return f"{source}: unknown key {key}{hint(key)}; {_allowed(_model_at(where[:-1], model))}"
    reason = "a table is needed" if found["type"] == "model_type" else found["msg"].removeprefix("Value error, ")
    value = HIDDEN if where and is_secret_name(where[-1]) else found["input"]
    given = "" if isinstance(value, BaseModel | dict) else f", not {value!r:.100}"
    return f"{source}: {key}: {reason}{given}"


def _source(where: Sequence[str], layers: Sequence[Layer]) -> str:
    # The names of the environment are looked at first, as its values win; an index into a list is nobody's name.
    for length in range(len(where), 0, -1):
        if name := variable_of(where[:length]):
            return f"environment variable {name}"
        for layer in layers:
            if has_key(layer.tables, where[:length]):
                return layer.place(".".join(where[:length]))
    return "configuration"


def has_key(tables: Any, where: Sequence[str]) -> bool:
    """Say whether a file says something of a key."""
    for part in where:
        if not isinstance(tables, dict) or part not in tables:
            return False
        tables = tables[part]
    return True


def _model_at(where: Sequence[str], model: type[BaseModel]) -> type[BaseModel]:
    for part in where:
        annotation = model.model_fields[part].annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            model = annotation
    return model


def _allowed(model: type[BaseModel]) -> str:
    return f"allowed: {', '.join(model.model_fields)}"
