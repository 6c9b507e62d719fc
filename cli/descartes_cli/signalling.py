"""Send a signal to agents."""

from __future__ import annotations

import click

from descartes_cli import options
from descartes_cli.changing import change_agents

_EXAMPLES = """\b
Examples:
  descartes signal fixer INT       as Ctrl-C would
  descartes signal fixer SIGUSR1
"""


@click.command("signal", epilog=_EXAMPLES)
@options.agent
@click.argument("signal", metavar="SIGNAL")
@options.session
@options.as_json
def signal(agent: str, signal: str, session: str | None, as_json: bool) -> int:
    """Send one signal to an agent's own program: a name with or without SIG, or a number.

    STOP and CONT are refused: pause and resume reach all that an agent started, and are remembered.
    """
    return change_agents((agent,), session, lambda _: ("agent.signal", {"signal": signal}), as_json)
