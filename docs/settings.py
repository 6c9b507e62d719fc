"""The page of all that can be configured."""

from __future__ import annotations

import json

from fields import FieldDoc, fields_of
from tables import table

from descartes_core.errors import ConfigInvalid
from descartes_local.config import Settings, section_model
from descartes_local.config_original import ORIGINAL, Meaning
from descartes_local.config_workspace import is_harmless


def configuration() -> str:
    """Return the page."""
    parts = [HEAD, *map(_section, Settings.model_fields), ORIGINALS + table(("key", "here"), _originals())]
    return "\n".join(parts)


def _section(name: str) -> str:
    model = section_model(name)
    rows = [_row(name, field) for field in fields_of(model)]
    head = ("key", "type", "default", "", "in a workspace", "environment")
    return f"## [{name}]\n\n{(model.__doc__ or '').strip()}\n\n" + table(head, rows)


def _row(section: str, field: FieldDoc) -> tuple[str, ...]:
    allowed = "yes" if is_harmless(Settings, section, field.name) else ""
    variable = f"`DESCARTES_{section}__{field.name}`".upper()
    return f"`{field.name}`", field.type, field.default, field.text, allowed, variable


def _originals() -> list[tuple[str, str]]:
    return [(f"`{key}`", _meaning(meaning)) for key, meaning in ORIGINAL.items()]


def _meaning(meaning: Meaning) -> str:
    if meaning.ours is not None:
        turned = ", ".join(f"{was} = {now}" for was, now in (meaning.values or {}).items() if was != now)
        return f"`{meaning.ours}`" + (f" ({turned})" if turned else "")
    if meaning.is_refused:
        return f"refused: {meaning.text}"
    if meaning.values is not None:
        allowed = ", ".join(f"`{json.dumps(value)}`" for value in meaning.values)
        return f"{allowed} says nothing, all else is refused: {meaning.text}"
    return f"says nothing: {meaning.text}"


HEAD = f"""# Configuration

Nothing needs to be configured. What is, counts key by key: environment before files before defaults. The files, the
first that has a key wins:

1. the file named by `--config` (for a workspace whose root `config.toml` is Descartes' own, that file)
2. `~/.descartes/sessions/<session-id>/config.toml`
3. `<workspace>/.scud/descartes.toml`
4. `~/.descartes/config.toml`
5. `~/.descartes/daemon.toml` (which may also use [the words of other programs](#daemontoml))

All are TOML with the sections below. `DESCARTES_HOME` (default `~/.descartes`) says where everything of the user lies.
Made from `descartes_local/config_sections.py`. For example:

```toml
[discovery]
search_paths = ["~/projects", "~/work"]

[agents]
command = ["claude"]
grace = 5
```

- `descartes config init` writes `~/.descartes/config.toml` with every key in it, commented out.
- `descartes config show [SESSION]` tells every key, its value, and where that comes from: file, variable, `default`.
- `descartes config check FILE` tells all that is wrong in a file, one line each.

In the environment a key is `DESCARTES_`, its section, two underscores, its name; a list is written as JSON:
`DESCARTES_AGENTS__COMMAND='["claude"]'`. An empty variable says nothing.

An unknown key or a wrong value is an error ([`{ConfigInvalid.code}`](errors.md#{ConfigInvalid.code}), exit code
{ConfigInvalid.exit}) that names the file and line or the variable, the key, and what is allowed. Nothing starts
half-configured: neither a daemon nor the supervisor. `sessions list` shows a session whose own files are wrong, with
what is wrong, beside the others. `ps`, `attach`, `logs` and all else that uses what runs already read none of it.

## When a change counts

A daemon reads its configuration when it starts, and takes the environment from the command that starts it; the
supervisor does the same with `[supervisor]`. So a change counts for a running session after `descartes sessions
restart`, while its agents go on, or after `descartes sessions stop`. Until then `sessions show`, `config show`,
`doctor` and `session.info` say that it is pending, and which keys; of a change of `[supervisor]` they do not. An
agent's grace is settled when it is spawned. `[discovery]` counts at once.

## Files in a workspace

A workspace may have been cloned from anywhere. So a file that lies in one (`.scud/descartes.toml`, or a root
`config.toml`), also by a link or named by `--config`, may set only the keys marked "in a workspace" below. All others,
commands, ports, limits, what is kept, removed or logged, are refused there by name. What belongs to one session and
needs them stands in `~/.descartes/sessions/<session-id>/config.toml`.
"""

ORIGINALS = """## daemon.toml

The file of the programs that Descartes comes from is read too. Besides the keys above it may have these:

"""
