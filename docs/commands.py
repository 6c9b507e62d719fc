"""The reference of the command line, as click has it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from descartes_cli.verbs import descartes

HEAD = """# The command line

Every verb, made from the commands themselves; `descartes VERB --help` shows the same.

- An AGENT is meant by its id, a unique prefix of it, or its name; a SESSION also by a path.
- Options stand before `--`; what follows is the command of an agent.
- `--json` prints stable JSON; tables are for people (`NO_COLOR` is honoured).
- An error is one line on stderr. Exit codes: 0 done, 1 failed, 2 usage, 3 no such thing, 4 cannot be reached or
  started, 5 refused; [errors.md](errors.md) has all of them.
"""


def command_reference() -> str:
    """Return the page of all verbs."""
    context = click.Context(descartes, info_name="descartes")
    found = list(_commands(descartes, context))
    index = "".join(f"- [`{path}`](#{_anchor(path)}) {_line(command)}\n" for path, command, _ in found)
    return "\n".join([HEAD, index, *(_section(*entry) for entry in found)])


def _commands(group: click.Group, context: click.Context) -> Iterator[tuple[str, click.Command, click.Context]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(command, info_name=name, parent=context)
        if isinstance(command, click.Group):
            yield from _commands(command, inner)
        else:
            yield inner.command_path, command, inner


def _section(path: str, command: click.Command, context: click.Context) -> str:
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    parts = [f"## {path}\n", f"```\n{usage}\n```\n", f"{inspect.cleandoc(command.help or '')}\n"]
    options = [option for option in command.params if isinstance(option, click.Option)]
    records = [record for option in options if (record := option.get_help_record(context)) is not None]
    rows = [f"| `{names}` | {_cell(text)} |\n" for names, text in records]
    if rows:
        parts.append("| option | |\n| --- | --- |\n" + "".join(rows))
    if isinstance(command.epilog, str):
        parts.append(_examples(command.epilog))
    return "\n".join(parts)


def _examples(epilog: str) -> str:
    title, _, lines = epilog.replace("\b", "").strip().partition("\n")
    return f"{title}\n\n```\n{inspect.cleandoc(lines)}\n```\n" if lines else f"{title}\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _line(command: click.Command) -> str:
    return command.get_short_help_str(200)


def _anchor(path: str) -> str:
    return path.replace(" ", "-")
