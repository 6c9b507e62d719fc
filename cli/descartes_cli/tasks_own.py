"""Add and change the tasks that a session keeps itself."""

from __future__ import annotations

from typing import Any

import click

from descartes_cli import options
from descartes_cli.of_session import change_session, session
from descartes_cli.render import print_json, printable
from descartes_cli.tasks_list import OWN_STATUSES, STATUS_WORDS, STATUSES

_PRIORITY = click.Choice(["critical", "high", "medium", "low"])
_ADD = """\b
Examples:
  descartes tasks add "Write the parser" --priority high --complexity complex
  descartes tasks add "Test the parser" --needs 1
"""


def _complexity(value: str) -> int | str:
    """Read what a person wrote: a word, or one of SCUD's numbers."""
    words = ("trivial", "simple", "moderate", "complex", "epic")
    if value in words:
        return value
    if value.isascii() and value.isdecimal() and len(value) < 4:
        return int(value)
    raise click.BadParameter(f"{value!r} is neither a number nor one of {', '.join(words)}.")


@click.command("add", epilog=_ADD)
@click.argument("title")
@click.option("--description", default="", metavar="TEXT", help="What is to be done.")
@click.option("--id", "task_id", metavar="ID", help="Default: the next number.")
@click.option("--priority", type=_PRIORITY, default="medium")
@click.option("--complexity", type=_complexity, default="moderate", metavar="WORD", help="trivial … epic, or a number.")
@click.option("--needs", multiple=True, metavar="TASK", help="What must be done before; repeatable.")
@session
@options.as_json
def add(
    title: str, task_id: str | None, needs: tuple[str, ...], session: str | None, as_json: bool, **more: Any
) -> None:
    """Add a task of the session's own: SCUD's are made by SCUD."""
    params = {"title": title, "dependencies": list(needs), **more, **({"id": task_id} if task_id else {})}
    _print(change_session(session, "task.add", params)["task"], as_json)


_UPDATE = """\b
Examples:
  descartes tasks update 2 --title "Test the parser well" --needs 1 --needs 3
"""


@click.command("update", epilog=_UPDATE)
@click.argument("task", metavar="TASK")
@click.option("--title", metavar="TEXT")
@click.option("--description", metavar="TEXT")
@click.option("--status", type=click.Choice(STATUSES + OWN_STATUSES), metavar="STATUS", help=STATUS_WORDS)
@click.option("--priority", type=_PRIORITY)
@click.option("--complexity", type=_complexity, metavar="WORD", help="trivial … epic, or a number.")
@click.option("--needs", multiple=True, metavar="TASK", help="In place of what it needed; repeatable.")
@session
@options.as_json
def update(task: str, needs: tuple[str, ...], session: str | None, as_json: bool, **more: Any) -> None:
    """Change a task of the session's own; what is not named stays."""
    params: dict[str, Any] = {key: value for key, value in more.items() if value is not None}
    if needs:
        params["dependencies"] = list(needs)
    _print(change_session(session, "task.update", {"task_id": task, **params})["task"], as_json)


def _print(task: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(task)
    else:
        click.echo(f"{printable(task['task_id'])}  {task['status']}  {printable(task['title'])}")
