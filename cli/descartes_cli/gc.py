"""Remove old output and old events."""

from __future__ import annotations

import re
import sys
from typing import Any

import click

from descartes_cli import options
from descartes_cli.client import change
from descartes_cli.progress import lasting
from descartes_cli.render import amount, print_json, print_table, printable, say, say_wrong
from descartes_cli.session_named import around
from descartes_core.errors import Refused
from descartes_core.ids import short
from descartes_local.home import find_home
from descartes_orchestrator import sessions

_EXAMPLES = """\b
Examples:
  descartes gc --dry-run                   what would go, and how much it is
  descartes gc shop --older-than 7d --yes
"""
_DAYS = {"h": 1 / 24, "d": 1.0, "w": 7.0}


def _age(_context: click.Context, _parameter: click.Parameter, text: str | None) -> float | None:
    """Return an age in days."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([hdw]?)", text)
    days = float(found[1]) * _DAYS[found[2] or "d"] if found else -1.0
    if not 0 <= days <= 36_500:
        raise click.BadParameter(f"{text!r} is no age like 12h, 30d or 8w")
    return days


@click.command("gc", epilog=_EXAMPLES)
@click.argument("workspace", required=False, shell_complete=options.complete_sessions)
@click.option(
    "--older-than", "output_age", callback=_age, metavar="AGE", help="Output of agents that ended so long ago."
)
@click.option("--events-older-than", "event_age", callback=_age, metavar="AGE", help="Events so old.")
@click.option("--dry-run", is_flag=True, help="Only tell.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@options.as_json
def gc(
    workspace: str | None,
    output_age: float | None,
    event_age: float | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Remove what agents said that ended long ago, and old events; first it tells what and how much, and asks.

    That they ran, how, and how they ended stays known. Without an age the configured one holds (retention.output_days,
    retention.event_days). Nothing is removed of agents that live or left something running, nor while it is read.
    WORKSPACE is a session's id, prefix, name or path; default: that around the current directory, else the active one.
    """
    home = find_home()
    session = around(home, workspace, "descartes gc WORKSPACE")
    ages = {"older_than": output_age, "events_older_than": event_age}
    asked = {key: value for key, value in ages.items() if value is not None}
    with lasting(f"looking for old output of {printable(session.name)}"):
        socket = sessions.start(home, session)["socket"]
        plan = change(socket, "session.collect", {**asked, "dry_run": True})
    if not as_json:
        _show(plan)
    if not dry_run and (plan["agents"] or plan["events"]):
        if not yes:
            _ask(plan)
        with lasting(f"removing old output of {printable(session.name)}"):
            done = change(socket, "session.collect", asked)
        _tell_kept(done)
        if as_json:
            print_json(done)
        else:
            say(f"removed: {_much(done)}")
    elif as_json:
        _tell_kept(plan)
        print_json(plan)


def _show(plan: dict[str, Any]) -> None:
    rows = [
        (short(one["agent_id"]), printable(one["name"]), (one["ended_at"] or "")[:19], amount(one["bytes"]))
        for one in plan["agents"]
    ]
    if rows:
        print_table(("ID", "NAME", "ENDED", "SIZE"), rows)
    say(f"to remove: {_much(plan)}" if plan["agents"] or plan["events"] else "nothing is old enough")
    sys.stdout.flush()
    _tell_kept(plan)


def _tell_kept(plan: dict[str, Any]) -> None:
    for one in plan["kept"]:
        say_wrong(f"kept: {one}")


def _much(plan: dict[str, Any]) -> str:
    agents, events = len(plan["agents"]), plan["events"]
    outputs = f"the output of {agents} agent{'s' * (agents != 1)}, {amount(plan['bytes'])}"
    return f"{outputs}; {events} event{'s' * (events != 1)}"


def _ask(plan: dict[str, Any]) -> None:
    """Ask the person at the terminal.

    Raises:
        Refused: there is none, or they said no.

    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Refused(f"this removes {_much(plan)}: say --yes")
    if not click.confirm("Remove it, for ever?", err=True):
        raise Refused("nothing is removed")
