"""Write an example of a configuration: every key, commented out, with its default."""

from __future__ import annotations

import json
from typing import Any

from descartes_local.config import Settings, section_model
from descartes_local.field_comments import comments_of

_HEAD = """\
# What Descartes does unless told otherwise. Take away a "# " before a key to set it.
# docs/configuration.md tells which types and limits; `descartes config check FILE` tells what is wrong,
# `descartes config show` what counts and why. A change counts from the next start of a session on.
"""
#: What stands for a key that has no default.
_SAMPLES = {"metrics_port": 9090}


def example() -> str:
    """Return the text of an example file; as it stands it says nothing."""
    return _HEAD + "".join(_section(name) for name in Settings.model_fields)


def _section(name: str) -> str:
    model = section_model(name)
    comments = comments_of(model)
    lines = [f"\n# {(model.__doc__ or '').strip()}", f"[{name}]"]
    for key, field in model.model_fields.items():
        lines += [f"# # {comments[key]}", f"# {key} = {_written(field.default, key)}"]
    return "\n".join(lines) + "\n"


def _written(value: Any, key: str) -> str:
    # Texts, numbers, truth and lists of texts look the same in JSON and in TOML.
    return json.dumps(_SAMPLES[key] if value is None else value)
