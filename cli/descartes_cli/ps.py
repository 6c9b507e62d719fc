"""List sessions and agents."""

from __future__ import annotations

import time
from typing import Any

import click

from descartes_cli import options
from descartes_cli.fleet import look
from descartes_cli.render import ago, command_line, print_json, print_table, printable
from descartes_core.ids import short
from descartes_core.times import read as read_time
from descartes_local.home import find_home
from descartes_orchestrator import sessions as known_sessions

_HEADS = ("ID", "NAME", "STATUS", "SESSION", "PID", "STARTED", "COMMAND")


@click.command("ps")
@click.option("-a", "--all", "everything", is_flag=True, help="Ended agents and inactive sessions, too.")
@options.session
@options.as_json
def ps(everything: bool, session: str | None, as_json: bool) -> None:
    """List sessions and their agents. It starts nothing, and waits 2 s at most."""
    home = find_home()
    only = known_sessions.resolve(home, session).id if session else None
    seen = look(home, everything, only)
    failed = seen.pop("failed")
    if as_json:
        print_json(seen)
    else:
        _print(seen, failed)


def _print(seen: dict[str, Any], failed: list[dict[str, Any]]) -> None:
    names = {session["id"]: printable(session["name"]) for session in seen["sessions"]}
    if seen["agents"]:
        print_table(_HEADS, [_row(agent, names) for agent in seen["agents"]], coloured=2)
    else:
        click.echo("no agents; descartes spawn starts one" if seen["sessions"] else "no sessions are active")
    for process in seen["unattributed"]:
        where = names.get(process["session_id"], "")
        click.echo(f"unattributed in {where}: process {process['pid']}  {printable(process['command'])}")
    for session in seen["sessions"]:
        if session["status"] not in ("Active", "Error") or session["agents"] == 0:
            click.echo(f"session {names[session['id']]}  {session['status']}  {printable(session['path'])}")
    for entry in failed:
        click.echo(f"session {printable(entry['name'])}  Error: {printable(entry['error'] or 'unknown')}")
        for line in entry["log_tail"][-5:]:
            click.echo(f"  {printable(line)}")


def _row(agent: dict[str, Any], sessions: dict[str, str]) -> tuple[str, ...]:
    started = agent["started_at"]
    return (
        short(agent["id"]),
        printable(agent["name"]),
        _status(agent),
        sessions.get(agent["session_id"], short(agent["session_id"])),
        "-" if agent["pid"] is None or agent["ended_at"] else str(agent["pid"]),
        ago(time.time() - read_time(started)) if started else "-",
        command_line(agent["command"]) + (f"  [{printable(agent['notice'])}]" if agent["notice"] else ""),
    )


def _status(agent: dict[str, Any]) -> str:
    """Return the state, with how it ended."""
    if agent["signal"]:
        return f"{agent['status']} ({agent['signal']})"
    return f"{agent['status']} ({agent['exit_code']})" if agent["exit_code"] else str(agent["status"])
