"""List sessions and agents."""

from __future__ import annotations

import click

from descartes_cli import options
from descartes_cli.fleet_table import show_fleet
from descartes_cli.session_named import find_session
from descartes_local.home import find_home

_EXAMPLES = """\b
Examples:
  descartes ps -a -s shop         ended agents of one session, too
  descartes ps --watch
  descartes ps --wide             with what each agent takes: CPU, memory, processes, bytes; and its limits
  descartes ps -a --wide          with what ended ones took
  descartes ps --json | jq '.agents[] | select(.status == "running") | .id'
"""


@click.command("ps", epilog=_EXAMPLES)
@click.option("-a", "--all", "everything", is_flag=True, help="Ended agents and inactive sessions, too.")
@click.option("-w", "--watch", "is_watched", is_flag=True, help="Show it anew whenever something happens.")
@click.option("--wide", is_flag=True, help="With what each agent takes, and may take.")
@options.session
@options.as_json
def ps(everything: bool, is_watched: bool, wide: bool, session: str | None, as_json: bool) -> None:
    """List sessions and their agents. It starts nothing, and waits 2 s at most."""
    home = find_home()
    only = find_session(home, session).id if session else None
    if not is_watched:
        show_fleet(everything=everything, as_json=as_json, only=only, wide=wide)
    elif as_json:
        raise click.UsageError("--watch is for people; programs follow with descartes events -f --json")
    else:
        from descartes_cli.watching import watch  # only who watches pays for it

        watch(home, only, lambda: show_fleet(everything=everything, as_json=False, only=only, wide=wide))
