"""Read the hub's log, and follow it."""

from __future__ import annotations

import click

from descartes_cli.supervisor_logs import show_log
from descartes_local.home import find_home

_EXAMPLES = """\b
Examples:
  descartes hub logs
  descartes hub logs -f -n 0
"""


@click.command("logs", epilog=_EXAMPLES)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is noted from now on, also by the next hub.")
@click.option("-n", "--lines", type=click.IntRange(min=0), default=50, show_default=True, help="How many of the last.")
def logs(follow: bool, lines: int) -> None:
    """Read what the hub noted: who came, who was lost or refused, and what went wrong."""
    show_log(find_home().log / "hub.log", "no hub that the supervisor keeps", follow=follow, lines=lines)
