"""Let paused agents go on."""

from __future__ import annotations

import click

from descartes_cli import options
from descartes_cli.changing import change_agents

_EXAMPLES = """\b
Examples:
  descartes resume fixer finder
"""


@click.command("resume", epilog=_EXAMPLES)
@options.agents
@options.session
@options.as_json
def resume(agents: tuple[str, ...], session: str | None, as_json: bool) -> int:
    """Let paused agents go on."""
    return change_agents(agents, session, lambda _: ("agent.resume", {}), as_json)
