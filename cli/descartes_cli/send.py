"""Type text into an agent."""

from __future__ import annotations

import click

from descartes_cli import options
from descartes_cli.client import change
from descartes_cli.finding import find_agent
from descartes_cli.render import print_json
from descartes_cli.surroundings import check_text
from descartes_local.home import find_home

#: The daemon waits for the echo before it presses Enter: a second at most.
_TIMEOUT = 60.0
_EXAMPLES = """\b
Examples:
  descartes send --enter fixer "now the linter"
  descartes send --enter fixer -- -v
  descartes send --enter fixer ""      only Enter
  descartes send fixer $'\\x03'          Ctrl-C
"""


@click.command("send", epilog=_EXAMPLES)
@click.argument("agent", metavar="AGENT")
@click.argument("text", metavar="TEXT")
@click.option("--enter", is_flag=True, help="Then press Enter, once the echo has been quiet.")
@options.session
@options.as_json
def send(agent: str, text: str, enter: bool, session: str | None, as_json: bool) -> None:
    """Type TEXT into an agent's terminal.

    Options come first, and -- before a TEXT that begins with a dash.
    """
    found = find_agent(find_home(), agent, session)
    params = {"agent_id": found.id, "text": check_text(text), "enter": enter}
    written = change(found.socket, "agent.write", params, timeout=_TIMEOUT)
    if as_json:
        print_json(written)
