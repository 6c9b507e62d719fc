"""Type text into an agent."""

from __future__ import annotations

import click

from descartes_cli import options
from descartes_cli.client import change
from descartes_cli.finding import find_agent
from descartes_cli.render import print_json
from descartes_cli.surroundings import check_text
from descartes_core.pasting import is_key
from descartes_local.home import find_home

#: The daemon waits for the echo before it presses Enter: a second at most.
_TIMEOUT = 60.0
_EXAMPLES = """\b
Examples:
  descartes send --enter fixer "now the linter"
  descartes send --enter fixer "$(cat prompt.md)"
  descartes send --enter fixer -- -v
  descartes send --enter fixer ""      only Enter
  descartes send fixer $'\\x03'          Ctrl-C
  descartes send --eof sorter          the end of its input
"""


@click.command("send", epilog=_EXAMPLES)
@options.agent
@click.argument("text", metavar="[TEXT]", required=False)
@click.option("--enter", is_flag=True, help="Then press Enter, once the echo was seen and has been quiet.")
@click.option("--raw", is_flag=True, help="Type TEXT as it is, with all control characters in it.")
@click.option("--eof", is_flag=True, help="Then end the input: in a terminal Ctrl-D, else its stdin is closed.")
@options.session
@options.as_json
def send(agent: str, text: str | None, enter: bool, raw: bool, eof: bool, session: str | None, as_json: bool) -> None:
    """Type TEXT into an agent's terminal, or write it to its stdin.

    A TEXT is pasted, in the way that the program asked its terminal for: what is no text is left out of it, and a line
    end at its very end is Enter. One key alone (a control character, an arrow) is typed as it is, and so is all with
    --raw. Options come first, and -- before a TEXT that begins with a dash.
    """
    if text is None and not eof:
        raise click.UsageError("Missing argument '[TEXT]'.")
    found = find_agent(find_home(), agent, session)
    text = check_text(text or "")
    paste = not raw and not is_key(text)
    if paste and text.endswith("\n"):
        text, enter = text.removesuffix("\n").removesuffix("\r"), True
    params = {"agent_id": found.id, "text": text, "enter": enter, "paste": paste, "eof": eof}
    written = change(found.socket, "agent.write", params, timeout=_TIMEOUT)
    if as_json:
        print_json(written)
