"""Show what an agent's terminal shows."""

from __future__ import annotations

import re
import sys
from typing import Any

import click

from descartes_cli import options
from descartes_cli.client import read
from descartes_cli.finding import find_agent
from descartes_cli.render import print_json
from descartes_cli.terminal_modes import TerminalModes
from descartes_local.home import find_home

#: A daemon makes one screen after the other, each in seconds at most.
_TIMEOUT = 60.0
#: Into the alternate screen: what is shown there is gone with it.
_ALTERNATE = re.compile(r"\x1b\[\?(?:1049|1047|47)h")
_CLEAR, _ROW = "\x1b[2J", re.compile(r"\x1b\[([0-9]+);[0-9]+H")
_EXAMPLES = """\b
Examples:
  descartes screen fixer
  descartes screen fixer --format vt           in colour
  descartes screen fixer --offset 1048576      as it was after its first MiB of output
  descartes screen fixer --json | jq .cursor
"""


@click.command("screen", epilog=_EXAMPLES)
@options.agent
@click.option("--offset", type=click.IntRange(min=0), metavar="N", help="As it was when its output had N bytes.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "vt"]),
    default="text",
    help="text: its letters; vt: what paints it in a terminal of its size.",
)
@options.session
@options.as_json
def screen(agent: str, offset: int | None, form: str, session: str | None, as_json: bool) -> None:
    """Show what an agent's terminal shows, or showed when it ended, without attaching to it.

    The daemon of an Inactive session is started.
    """
    found = find_agent(find_home(), agent, session)
    params: dict[str, Any] = {"agent_id": found.id, "format": form}
    if offset is not None:
        params["offset"] = offset
    shown = read(found.socket, "agent.screen", params, timeout=_TIMEOUT)
    if as_json:
        print_json(shown)
    elif form == "vt":
        _paint(shown["screen"])
    elif shown["screen"]:
        sys.stdout.buffer.write(shown["screen"].encode() + b"\n")


def _paint(vt: str) -> None:
    """Write it; a person's terminal shows it, and is then as it was, with the cursor below."""
    if sys.stdout.isatty():
        vt = _ALTERNATE.sub("", vt)
        modes = TerminalModes()
        modes.feed(vt.encode())
        lowest = max(map(int, _ROW.findall(vt.rpartition(_CLEAR)[2])), default=1)
        vt += f"{modes.take_back().decode()}\x1b[r\x1b[{lowest};1H\r\n"
    sys.stdout.buffer.write(vt.encode())
