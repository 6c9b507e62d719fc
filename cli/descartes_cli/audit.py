"""Tell who typed into an agent, when and how much."""

from __future__ import annotations

import click

from descartes_cli import options
from descartes_cli.client import read
from descartes_cli.finding import find_agent
from descartes_cli.render import print_json, print_table, printable, say
from descartes_local.home import find_home

_EXAMPLES = """\b
Examples:
  descartes audit fixer
  descartes audit fixer --limit 20
  descartes audit fixer --json | jq '[.inputs[].length] | add'
"""


@click.command("audit", epilog=_EXAMPLES)
@options.agent
@click.option("--limit", type=click.IntRange(1, 10_000), default=1000, show_default=True, help="The newest so many.")
@options.session
@options.as_json
def audit(agent: str, limit: int, session: str | None, as_json: bool) -> None:
    """Tell who typed into an agent, when and how much, oldest first; never what.

    In an attached terminal what one client types is noted once a second. The daemon of an Inactive session is started.
    """
    found = find_agent(find_home(), agent, session)
    reply = read(found.socket, "agent.audit", {"agent_id": found.id, "limit": limit})
    if as_json:
        print_json(reply)
        return
    rows = [(one["at"], str(one["length"]), printable(one["client"])) for one in reply["inputs"]]
    if rows:
        print_table(("WHEN", "BYTES", "WHO"), rows)
    left_out = reply["count"] - len(rows)
    shown = f"; {left_out} older ones are not shown" if left_out else ""
    say(f"typed into {printable(found.name)}: {reply['count']} times, {reply['bytes']} bytes in all{shown}")
