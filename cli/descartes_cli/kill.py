"""End agents, at once if need be."""

from __future__ import annotations

import click

from descartes_cli import options
from descartes_cli.changing import change_agents

_EXAMPLES = """\b
Examples:
  descartes kill fixer finder
  descartes kill --force fixer     at once, and everything it started
"""


@click.command("kill", epilog=_EXAMPLES)
@options.agents
@click.option("--force", is_flag=True, help="Kill at once, without any grace.")
@click.option("--grace", type=options.Seconds(0, 3600), metavar="SECONDS", help="Instead of each agent's own.")
@options.session
@options.as_json
def kill(agents: tuple[str, ...], force: bool, grace: float | None, session: str | None, as_json: bool) -> int:
    """Ask agents to end, and kill what is left of them after their grace.

    It returns when nothing of them runs any more.
    """
    if force:
        return change_agents(agents, session, lambda _: ("agent.kill", {}), as_json)
    return change_agents(agents, session, lambda _: ("agent.stop", {} if grace is None else {"grace": grace}), as_json)
