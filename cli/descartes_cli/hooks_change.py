"""Add hooks, remove them, try again."""

from __future__ import annotations

import shlex
import sys
from typing import Any

import click

from descartes_cli import options
from descartes_cli.client import change
from descartes_cli.finding import Search
from descartes_cli.hook_named import hook_argument, socket_of
from descartes_cli.render import print_json, printable, say, say_wrong
from descartes_core.errors import InvalidParams
from descartes_local.home import find_home

_ADD = """\b
Examples:
  descartes hooks add https://example.com/descartes --on agent.completed --on agent.failed
  descartes hooks add --command 'notify-send "an agent has ended"' --on agent.completed
  descartes hooks add http://localhost:8000/told --allow-private --on 'agent.*' --agent fixer
"""


@click.command("add", epilog=_ADD)
@click.argument("url", required=False, metavar="[URL]")
@click.option("--command", metavar="COMMAND", help="Run this for each event, which is JSON on its stdin; no shell.")
@click.option("--on", multiple=True, metavar="EVENT", help="agent.completed, agent.*, …; repeatable. Default: all.")
@click.option(
    "--agent",
    "agents",
    multiple=True,
    metavar="AGENT",
    shell_complete=options.complete_agents,
    help="Only what happens to this agent (id, prefix or name); repeatable.",
)
@click.option("--name", metavar="NAME", help="Default: the host, or the program.")
@click.option("--since", type=click.IntRange(min=0), metavar="N", help="Begin after this seq. Default: from now on.")
@click.option("--allow-private", is_flag=True, help="The URL may be on this machine or a private network.")
@click.option("--secret-file", metavar="FILE", help="The signatures' key; - is stdin. Default: one is made.")
@options.session
@options.as_json
def add(
    url: str | None,
    command: str | None,
    on: tuple[str, ...],
    agents: tuple[str, ...],
    name: str | None,
    since: int | None,
    allow_private: bool,
    secret_file: str | None,
    session: str | None,
    as_json: bool,
) -> None:
    """Tell a web address, or a command, of a session's events.

    Each event is posted as JSON, signed with a key that is printed here once; docs/hooks.md shows how to check it.
    Without -s it is the session around the current directory, else the active one; its daemon is started.
    """
    if (url is None) == (command is None):
        raise click.UsageError("Either a URL or --command is needed.")
    asked: dict[str, Any] = {"on": list(on), "allow_private": allow_private}
    asked |= {"url": url} if url is not None else {"command": _words(command or "")}
    asked |= {key: value for key, value in (("name", name), ("since", since)) if value is not None}
    if secret_file is not None:
        asked["secret"] = _secret(secret_file)
    home = find_home()
    if agents:
        search = Search(home, session)
        asked["agent_ids"] = [search.find(agent).id for agent in agents]
    reply = change(socket_of(home, session), "hook.add", asked)
    if as_json:
        print_json(reply)
        return
    say(f"{printable(reply['hook']['name'])}  {reply['hook']['hook_id']}")
    if url is not None and secret_file is None:
        say_wrong(f"the key of its signatures, which is not shown again: {reply['secret']}")


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as error:
        raise InvalidParams(f"--command cannot be read: {error}") from None


def _secret(file: str) -> str:
    if file == "-":
        return sys.stdin.readline().strip()
    try:
        with open(file, encoding="utf-8") as opened:
            return opened.readline().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidParams(f"{file} cannot be read: {error}") from None


_REMOVE = """\b
Examples:
  descartes hooks remove example.com
"""


@click.command("remove", epilog=_REMOVE)
@hook_argument
@options.session
@options.as_json
def remove(hook: str, session: str | None, as_json: bool) -> None:
    """Tell a hook nothing more; its dead letters go with it."""
    reply = change(socket_of(find_home(), session), "hook.remove", {"hook_id": hook})
    if as_json:
        print_json(reply)
    else:
        say(f"{printable(reply['hook']['name'])} is told nothing more")


_RETRY = """\b
Examples:
  descartes hooks retry example.com
  descartes hooks retry example.com 6f9c1b2e-0c3d-4e5f-8a7b-9c0d1e2f3a4b.120
"""


@click.command("retry", epilog=_RETRY)
@hook_argument
@click.argument("delivery", required=False, metavar="[DELIVERY]")
@options.session
@options.as_json
def retry(hook: str, delivery: str | None, session: str | None, as_json: bool) -> None:
    """Try what failed once more, now: the present event, and all dead letters, or the one named.

    A hook that was disabled, because its receiver answered 410, is told of everything again that it missed.
    """
    asked = {"hook_id": hook, **({"delivery": delivery} if delivery else {})}
    reply = change(socket_of(find_home(), session), "hook.retry", asked)
    if as_json:
        print_json(reply)
        return
    say(f"{printable(reply['hook']['name'])} is tried again; dead letters that are, too: {reply['letters']}")
