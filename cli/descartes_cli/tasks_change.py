"""Change what SCUD, or this session, says of tasks."""

from __future__ import annotations

import click

from descartes_cli import options
from descartes_cli.of_session import change_session, session
from descartes_cli.render import print_json, printable
from descartes_cli.tasks_count import print_phases
from descartes_cli.tasks_list import OWN_STATUSES, STATUS_WORDS, STATUSES, of_own, own

_USE = """\b
Examples:
  descartes tasks use auth
"""


@click.command("use", epilog=_USE)
@click.argument("phase", metavar="PHASE")
@session
@options.as_json
def use(phase: str, session: str | None, as_json: bool) -> None:
    """Make a phase the active one, for SCUD too: it is written to .scud/active-tag."""
    told = change_session(session, "task.use", {"phase": phase})
    if as_json:
        print_json(told)
    else:
        print_phases(told["phases"])


_SET = """\b
Examples:
  descartes tasks set-status 3.1 done
  descartes tasks set-status auth:3.1 in-progress --was pending -s shop
"""


@click.command("set-status", epilog=_SET)
@click.argument("task", metavar="TASK")
@click.argument("status", metavar="STATUS", type=click.Choice(STATUSES + OWN_STATUSES))
@click.option(
    "--was",
    type=click.Choice(STATUSES + OWN_STATUSES),
    metavar="STATUS",
    help=f"Only where it has this status until then. {STATUS_WORDS}",
)
@own
@session
@options.as_json
def set_status(task: str, status: str, was: str | None, is_own: bool, session: str | None, as_json: bool) -> None:
    """Set a task's status.

    Of a task of SCUD this is written to its file, under SCUD's own lock: no byte changes but those of that one row.
    It is refused where somebody else changed the file meanwhile.
    """
    params = {**of_own(is_own), "task_id": task, "status": status, **({"was": was} if was else {})}
    told = change_session(session, "task.set_status", params)["task"]
    if as_json:
        print_json(told)
    else:
        click.echo(f"{printable(told['task_id'])}  {told['status']}")


_CLAIM = """\b
Examples:
  descartes tasks claim 3.1 --agent fixer
"""


@click.command("claim", epilog=_CLAIM)
@click.argument("task", metavar="TASK")
@click.option(
    "--agent",
    required=True,
    metavar="AGENT",
    shell_complete=options.complete_agents,
    help="Whose it is from now on: an agent's name, or anybody's.",
)
@own
@session
@options.as_json
def claim(task: str, agent: str, is_own: bool, session: str | None, as_json: bool) -> None:
    """Write down who works on a task, as SCUD's claim does."""
    told = change_session(session, "task.claim", {**of_own(is_own), "task_id": task, "agent": agent})["task"]
    if as_json:
        print_json(told)
    else:
        click.echo(f"{printable(told['task_id'])}  for {printable(told['assigned_to'])}")
