"""What a configuration file that lies in a workspace may set.

A workspace may have been cloned from anywhere. Its file may not name commands, doors or limits, nor what is
kept, logged or removed: only the keys that are marked harmless in the model count, all else is refused by name.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from descartes_local.config_files import Layer
from descartes_local.config_sections import Harmless
from descartes_local.home import Home


def is_harmless(model: type[BaseModel], section: str, key: str) -> bool:
    """Say whether a workspace's own file may set this key."""
    part = model.model_fields[section].annotation
    assert isinstance(part, type)
    assert issubclass(part, BaseModel)
    return any(isinstance(mark, Harmless) for mark in part.model_fields[key].metadata)


def lies_in(path: Path, workspace: Path | None, home: Home) -> bool:
    """Say whether a file lies in a workspace, by its name or by where that leads; what is the user's own does not."""
    if workspace is None:
        return False
    around, own = os.path.realpath(workspace), os.path.realpath(home.path)
    for place in {os.path.abspath(path), os.path.realpath(path), os.path.realpath(path.parent)}:
        # A workspace may be the whole HOME: the user's own directory in it stays the user's.
        is_own = _is_below(own, around) and _is_below(place, own)
        if (_is_below(place, around) or _is_below(place, os.path.abspath(workspace))) and not is_own:
            return True
    return False


def _is_below(path: str, directory: str) -> bool:
    return f"{path}/".startswith(f"{directory.rstrip('/')}/")


def foreign(layer: Layer, model: type[BaseModel]) -> tuple[Layer, list[str]]:
    """Return what counts of a workspace's file, and a complaint for each known key that does not."""
    wrong = []
    tables: dict[str, Any] = {}
    for section, table in layer.tables.items():
        if section not in model.model_fields or not isinstance(table, dict):
            tables[section] = table  # unknown, or no table: told with all else that does not fit the model
            continue
        part = model.model_fields[section].annotation
        assert isinstance(part, type)
        assert issubclass(part, BaseModel)
        refused = [key for key in table if key in part.model_fields and not is_harmless(model, section, key)]
        wrong += [_refusal(layer, f"{section}.{key}", model) for key in refused]
        tables[section] = {key: value for key, value in table.items() if key not in refused}
    return replace(layer, tables=tables), wrong


def _refusal(layer: Layer, key: str, model: type[BaseModel]) -> str:
    allowed = (
        f"{section}.{name}"
        for section, field in model.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        for name in field.annotation.model_fields
        if is_harmless(model, section, name)
    )
    return (
        f"{layer.place(key)}: {key} may not be set by a file in a workspace (it may have come from anywhere): "
        f"set it in ~/.descartes/config.toml; allowed here: {', '.join(allowed)}"
    )
