"""Ask agents to end."""

from __future__ import annotations

import click

from descartes_cli import options
from descartes_cli.changing import change_agents

_EXAMPLES = """\b
Examples:
  descartes stop fixer
  descartes stop --grace 60 fixer finder
"""


@click.command("stop", epilog=_EXAMPLES)
@options.agents
@click.option("--grace", type=options.Seconds(0, 3600), metavar="SECONDS", help="Instead of each agent's own.")
@options.session
@options.as_json
def stop(agents: tuple[str, ...], grace: float | None, session: str | None, as_json: bool) -> int:
    """Ask agents to end, and kill what is left of them after their grace.

    It returns when nothing of them runs any more.
    """
    return change_agents(agents, session, lambda _: ("agent.stop", {} if grace is None else {"grace": grace}), as_json)
