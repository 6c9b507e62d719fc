"""List tasks, show one, tell the next."""

from __future__ import annotations

from typing import Any

import click

from descartes_cli import options
from descartes_cli.of_session import ask_session, session
from descartes_cli.render import print_json, print_table, printable, say_wrong

own = click.option("--own", "is_own", is_flag=True, help="The session's own tasks, also where SCUD has some.")
phase = click.option("--phase", metavar="PHASE", help="Only of this phase.")

_LIST = """\b
Examples:
  descartes tasks list
  descartes tasks list -s shop --phase auth --status pending --status review
  descartes tasks list --ready --json | jq -r '.tasks[].task_id'
"""
#: As the daemon takes them; the last two are words of own tasks.
STATUSES = ("pending", "in-progress", "done", "review", "blocked", "deferred", "cancelled", "expanded", "failed")
OWN_STATUSES = ("todo", "in_progress")
#: What is said where one is asked for; as a list of choices it would fill the help.
STATUS_WORDS = f"A STATUS is one of {', '.join(STATUSES)}; of own tasks also {' or '.join(OWN_STATUSES)}."


@click.command("list", epilog=_LIST)
@phase
@click.option(
    "--status",
    multiple=True,
    type=click.Choice(STATUSES + OWN_STATUSES),
    metavar="STATUS",
    help=f"Only these; repeatable. {STATUS_WORDS}",
)
@click.option("--ready", is_flag=True, help="Only those that may be begun now.")
@own
@session
@options.as_json
def list_tasks(
    phase: str | None, status: tuple[str, ...], ready: bool, is_own: bool, session: str | None, as_json: bool
) -> None:
    """List tasks, in the order of their file; a * stands before those that may be begun now.

    What is wrong with the tree (cycles, dependencies that are not there) is told on stderr.
    """
    params: dict[str, Any] = {**of_own(is_own), "status": list(status), "ready": ready}
    if phase is not None:
        params["phase"] = phase
    told = ask_session(session, "task.list", params)
    if as_json:
        print_json(told)
        return
    if told["tasks"]:
        print_table(
            ("TASK", "STATUS", "PRIORITY", "SIZE", "FOR", "TITLE"), list(map(_cells, told["tasks"])), coloured=1
        )
    else:
        click.echo(_none(told["source"], is_some=bool(status or ready or phase)))
    if len(told["tasks"]) < told["total"]:
        say_wrong(f"the first {len(told['tasks'])} of {told['total']}")
    for fault in told["faults"]:
        say_wrong(fault)
    if told["notice"]:
        say_wrong(told["notice"])


def _none(source: str, *, is_some: bool) -> str:
    if is_some:
        return "no such tasks"
    return (
        "no tasks of SCUD; --own lists the session's"
        if source == "scud"
        else "no tasks; descartes tasks add TITLE makes one"
    )


def of_own(is_own: bool) -> dict[str, Any]:
    """Return what asks for own tasks, where they are meant."""
    return {"source": "own"} if is_own else {}


def _cells(task: dict[str, Any]) -> tuple[str, ...]:
    return (
        ("* " if task["is_ready"] else "  ") + printable(task["task_id"]),
        task["status"],
        task["priority"],
        str(task["complexity"]),
        printable(task["assigned_to"] or "-"),
        printable(task["title"]),
    )


_SHOW = """\b
Examples:
  descartes tasks show 3.1
  descartes tasks show auth:3.1 -s shop --json
"""


@click.command("show", epilog=_SHOW)
@click.argument("task", metavar="TASK")
@own
@session
@options.as_json
def show(task: str, is_own: bool, session: str | None, as_json: bool) -> None:
    """Tell all about one task: what it waits for, who works on it, its texts."""
    told = ask_session(session, "task.get", {**of_own(is_own), "task_id": task})["task"]
    if as_json:
        print_json(told)
    else:
        print_task(told)


def print_task(task: dict[str, Any]) -> None:
    """Print a task for people."""
    click.echo(f"{printable(task['task_id'])}  {printable(task['title'])}")
    facts = {
        "status": task["status"] + (", may be begun now" if task["is_ready"] else ""),
        "priority": task["priority"],
        "complexity": str(task["complexity"]),
        "needs": ", ".join(task["dependencies"]),
        "waits for": ", ".join(task["waits_for"]),
        "part of": task["parent"] or "",
        "parts": ", ".join(task["children"]),
        "for": task["assigned_to"] or "",
        "agents": ", ".join(task["agents"]),
    }
    for key, value in facts.items():
        if value:
            click.echo(f"  {key:<12}{printable(value)}")
    for key in ("description", "details", "test_strategy"):
        if task[key]:
            click.echo(f"\n{key.replace('_', ' ')}:")
            for line in task[key].split("\n"):
                click.echo(f"  {printable(line)}".rstrip())


_NEXT = """\b
Examples:
  descartes tasks next
  descartes spawn --task "$(descartes tasks next --json | jq -r .task.task_id)" -- claude
"""


@click.command("next", epilog=_NEXT)
@phase
@own
@session
@options.as_json
def next_task(phase: str | None, is_own: bool, session: str | None, as_json: bool) -> None:
    """Tell which task to begin next: the first that is ready, of the active phase where there is one."""
    told = ask_session(session, "task.next", {**of_own(is_own), **({"phase": phase} if phase else {})})
    if as_json:
        print_json(told)
    elif told["task"] is None:
        where = f" of phase {printable(told['phase'])}" if told["phase"] else ""
        click.echo(f"no task{where} is ready")
    else:
        print_task(told["task"])
