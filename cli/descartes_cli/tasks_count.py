"""Count tasks, and tell phases and waves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from descartes_cli import options
from descartes_cli.of_session import ask_session, session
from descartes_cli.render import print_json, print_table, printable
from descartes_cli.tasks_list import of_own, own, phase

_WAVES = """\b
Examples:
  descartes tasks waves
  descartes tasks waves --phase auth --json
"""


@click.command("waves", epilog=_WAVES)
@phase
@own
@session
@options.as_json
def waves(phase: str | None, is_own: bool, session: str | None, as_json: bool) -> None:
    """Tell in which order the open tasks can be done: all of one wave at the same time."""
    told = ask_session(session, "task.waves", {**of_own(is_own), **({"phase": phase} if phase else {})})
    if as_json:
        print_json(told)
        return
    for one in told["phases"]:
        click.echo(f"{printable(one['phase'])}{'' if one['waves'] or one['stuck'] else '  nothing is open'}")
        for number, wave in enumerate(one["waves"], start=1):
            click.echo(f"  wave {number:<3} {printable(' '.join(wave))}")
        if one["stuck"]:
            click.echo(f"  stuck    {printable(' '.join(one['stuck']))}")


_STATS = """\b
Examples:
  descartes tasks stats
  descartes tasks stats -s shop --json | jq .by_status
"""


@click.command("stats", epilog=_STATS)
@own
@session
@options.as_json
def stats(is_own: bool, session: str | None, as_json: bool) -> None:
    """Count tasks, what they need, and how far they are."""
    told = ask_session(session, "task.stats", of_own(is_own))
    if as_json:
        print_json(told)
        return
    for key in ("nodes", "edges", "parents", "details"):
        click.echo(f"{key:<10}{told[key]}")
    click.echo(f"{'statuses':<10}{_in_words(told['by_status'])}")
    click.echo(f"{'phases':<10}{_in_words(told['by_phase'])}")


_PHASES = """\b
Examples:
  descartes tasks phases
  descartes tasks phases --json | jq '.phases[] | select(.is_active)'
"""


@click.command("phases", epilog=_PHASES)
@own
@session
@options.as_json
def phases(is_own: bool, session: str | None, as_json: bool) -> None:
    """List the phases, and how far each is; a * stands before the active one."""
    told = ask_session(session, "task.phases", of_own(is_own))
    if as_json:
        print_json(told)
    else:
        print_phases(told["phases"])


def print_phases(phases: list[dict[str, Any]]) -> None:
    """Print phases for people."""
    rows = [
        (
            ("* " if one["is_active"] else "  ") + printable(one["tag"]),
            str(one["tasks"]),
            str(one["ready"]),
            _in_words(one["by_status"]),
        )
        for one in phases
    ]
    if rows:
        print_table(("PHASE", "TASKS", "READY", "STATUS"), rows)
    else:
        click.echo("no phases")


def _in_words(counts: Mapping[str, int]) -> str:
    return printable(", ".join(f"{name} {count}" for name, count in counts.items())) or "-"
