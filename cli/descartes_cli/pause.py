"""Halt agents."""

from __future__ import annotations

import click

from descartes_cli import options
from descartes_cli.changing import change_agents

_EXAMPLES = """\b
Examples:
  descartes pause fixer finder
"""


@click.command("pause", epilog=_EXAMPLES)
@options.agents
@options.session
@options.as_json
def pause(agents: tuple[str, ...], session: str | None, as_json: bool) -> int:
    """Halt agents and everything they started."""
    return change_agents(agents, session, lambda _: ("agent.pause", {}), as_json)
