"""Use an agent's terminal."""

from __future__ import annotations

import contextlib
import os
import pwd
import sys
from typing import Any

import click

from descartes_cli import options
from descartes_cli.client import exit_status, read
from descartes_cli.detach_key import DetachKey
from descartes_cli.finding import find_agent
from descartes_cli.logs import output
from descartes_cli.render import printable
from descartes_cli.screen import Screen
from descartes_core.errors import InvalidParams, NotFound, NotHere, Refused
from descartes_core.ids import short
from descartes_local.home import find_home

#: Telnet's key; shells leave it alone, and vim uses it seldom.
USUAL_KEY = "ctrl-]"
_EXAMPLES = """\b
Examples:
  descartes attach fixer
  descartes attach --read-only fixer      to look over somebody's shoulder
  descartes attach --take fixer           to go on where another terminal has it
"""


@click.command("attach", epilog=_EXAMPLES)
@options.agent
@click.option("--read-only", is_flag=True, help="Only watch.")
@click.option("--take", is_flag=True, help="Take the pen, also from who types now.")
@click.option("--detach-key", default=USUAL_KEY, show_default=True, metavar="KEY", help="The key that lets go.")
@options.session
def attach(agent: str, read_only: bool, take: bool, detach_key: str, session: str | None) -> int:
    """Use an agent's terminal until it ends, or until the detach key lets go of it.

    An agent that is let go of goes on. When it ends, this ends with its exit code.

    Many may attach, one types: who came first, until it lets go. Others watch, and are told who types; Ctrl-T takes the
    pen, and with it the terminal gets the size of this one.
    """
    if read_only and take:
        raise click.UsageError("--read-only and --take exclude each other")
    key = DetachKey(detach_key)
    check_terminal(agent)
    found = find_agent(find_home(), agent, session)
    if found.has_ended:
        raise Refused(f"{found.name} has ended; descartes logs {short(found.id)} shows what it said")
    if not found.agent.get("tty", True):
        raise NotHere(f"{found.name} has no terminal: use descartes logs -f {agent} and descartes send {agent} TEXT")
    return run_attached(found.socket, found.agent, read_only=read_only, take=take, key=key)


def check_terminal(agent: str) -> None:
    """Refuse where there is no terminal to lend.

    Raises:
        InvalidParams: stdin or stdout is none.

    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InvalidParams(
            f"attach needs a terminal; without one use descartes logs -f {agent} and descartes send {agent} TEXT"
        )


def run_attached(
    socket: str, agent: dict[str, Any], *, read_only: bool = False, take: bool = False, key: DetachKey | None = None
) -> int:
    """Lend the terminal to an agent; return the agent's exit code, 0 when it was let go of."""
    check_terminal(agent["name"])
    key = key or DetachKey(USUAL_KEY)
    name = printable(agent["name"])
    click.echo(f"[{name}: {key.name} lets go, the agent goes on]", err=True)
    sys.stdout.flush()
    screen = Screen(socket, agent, key, read_only=read_only, take=take, client=_our_name())
    try:
        ended = screen.run()
    except (Refused, NotFound):
        # It ended while its daemon was away: what it said last is in the log.
        ended = None if screen.offset is None else _ended_meanwhile(socket, agent["id"], screen.offset)
        if ended is None:
            raise
    if ended is None:
        click.echo(f"\r\n[let go of {name}; descartes attach {short(agent['id'])} comes back]", err=True)
        return 0
    how = (
        ended.get("ended_by")
        or ended["signal"]
        or ("code unknown" if ended["exit_code"] is None else f"code {ended['exit_code']}")
    )
    click.echo(f"\r\n[{name} has ended: {how}]", err=True)
    return exit_status(ended)


def _our_name() -> str:
    """Return what others are told who types here: the user and the terminal."""
    user = os.environ.get("USER") or os.environ.get("LOGNAME")
    if not user:
        with contextlib.suppress(KeyError):  # a user without an entry is a number
            user = pwd.getpwuid(os.getuid()).pw_name
    terminal = os.ttyname(sys.stdin.fileno()).removeprefix("/dev/")
    return printable(f"{user or os.getuid()}@{terminal}")[:100]


def _ended_meanwhile(socket: str, agent_id: str, offset: int) -> dict[str, Any] | None:
    agent: dict[str, Any] = read(socket, "agent.get", {"agent_id": agent_id})["agent"]
    if agent["ended_at"] is None:
        return None
    for piece in output(socket, agent_id, offset=offset):
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
    return agent
