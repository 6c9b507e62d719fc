"""Read configuration files, and say what is wrong where."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from descartes_core.errors import ConfigInvalid
from descartes_local.regular_file import NotRegular, read_regular

PREFIX = "DESCARTES_"


@dataclass(frozen=True, slots=True)
class Layer:
    """What one file says."""

    path: Path
    tables: dict[str, Any]


def read_layers(paths: Iterable[Path], *, needed: Path | None = None) -> list[Layer]:
    """Return what the files say that are there, in the order given; the needed one must be there.

    Raises:
        ConfigInvalid: one cannot be read, or is not TOML.

    """
    layers = []
    for path in paths:
        try:
            layers.append(Layer(path, tomllib.loads(read_regular(path).decode())))
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


def environment_names() -> list[str]:
    """Return the variables of this process that are meant as settings: DESCARTES_SECTION__KEY."""
    return sorted(name for name in os.environ if name.upper().startswith(PREFIX) and "__" in name)


def check_environment(model: type[BaseModel]) -> None:
    """Refuse a variable that names a section there is none of: nothing else would tell of the typing error.

    Raises:
        ConfigInvalid: there is one.

    """
    for name in environment_names():
        section = name[len(PREFIX) :].partition("__")[0].lower()
        if section not in model.model_fields:
            raise ConfigInvalid(f"environment variable {name}: unknown section; {_allowed(model)}")


def complaint(error: ValidationError, model: type[BaseModel], layers: Sequence[Layer]) -> ConfigInvalid:
    """Return the error that names the file or variable, the key, and what is allowed."""
    lines = []
    for found in error.errors(include_url=False):
        where = [str(part) for part in found["loc"]]
        key = ".".join(where)
        if found["type"] == "extra_forbidden":
            lines.append(f"{_source(where, layers)}: unknown key {key}; {_allowed(_model_at(where[:-1], model))}")
        else:
            reason = found["msg"].removeprefix("Value error, ")
            given = "" if isinstance(found["input"], BaseModel | dict) else f", not {found['input']!r:.100}"
            lines.append(f"{_source(where, layers)}: {key}: {reason}{given}")
    return ConfigInvalid("; ".join(lines))


def _source(where: Sequence[str], layers: Sequence[Layer]) -> str:
    # The names of the environment are looked at first, as its values win; an index into a list is nobody's name.
    for length in range(len(where), 0, -1):
        wanted = (PREFIX + "__".join(where[:length])).upper()
        name = next((name for name in environment_names() if name.upper() == wanted), None)
        if name:
            return f"environment variable {name}"
        for layer in layers:
            if _has(layer.tables, where[:length]):
                return str(layer.path)
    return "configuration"


def _has(tables: Any, where: Sequence[str]) -> bool:
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
