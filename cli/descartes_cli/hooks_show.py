"""Show hooks, and what could not be delivered."""

from __future__ import annotations

from typing import Any

import click

from descartes_cli import options
from descartes_cli.client import read
from descartes_cli.hook_named import optional_hook, socket_of
from descartes_cli.render import command_line, print_json, print_table, printable, say
from descartes_local.home import find_home

_LIST = """\b
Examples:
  descartes hooks list
  descartes hooks list -s shop --json | jq '.hooks[] | select(.error) | {name, error}'
"""


@click.command("list", epilog=_LIST)
@options.session
@options.as_json
def list_hooks(session: str | None, as_json: bool) -> None:
    """List who is told of a session's events, how many events are still to be told, and what is wrong."""
    reply = read(socket_of(find_home(), session), "hook.list", {})
    if as_json:
        print_json(reply)
        return
    if not reply["hooks"]:
        say("no hooks; descartes hooks add URL makes one")
        return
    heads = ("NAME", "ID", "STATE", "DELIVERED", "BEHIND", "DEAD", "ON", "WHERE")
    print_table(heads, [_cells(hook) for hook in reply["hooks"]])
    for hook in reply["hooks"]:
        if hook["state"] in ("retrying", "disabled") and hook["error"]:
            say(f"{printable(hook['name'])}: {printable(hook['error'])}")


def _cells(hook: dict[str, Any]) -> tuple[str, ...]:
    where = printable(hook["url"]) if hook["url"] else command_line(hook["command"])
    counts = (str(hook[key]) for key in ("delivered", "behind", "dead"))
    return printable(hook["name"]), hook["hook_id"][:8], hook["state"], *counts, ",".join(hook["on"]) or "*", where


_DEAD = """\b
Examples:
  descartes hooks dead
  descartes hooks dead example.com --json | jq -r '.deliveries[].body'
"""


@click.command("dead", epilog=_DEAD)
@optional_hook
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="The oldest so many.")
@click.option("--after", metavar="DELIVERY", help="Go on after this one.")
@options.session
@options.as_json
def dead(hook: str | None, limit: int, after: str | None, session: str | None, as_json: bool) -> None:
    """List the dead letters: events that were given up after so many tries, of one hook or of all."""
    asked = {"hook_id": hook, "limit": limit, "after": after}
    reply = read(socket_of(find_home(), session), "hook.deliveries", asked)
    if as_json:
        print_json(reply)
        return
    if not reply["deliveries"]:
        say("no dead letters")
        return
    rows = [
        (one["failed_at"], one["delivery"], one["event"], str(one["tries"]), printable(one["error"]))
        for one in reply["deliveries"]
    ]
    print_table(("WHEN", "DELIVERY", "EVENT", "TRIES", "WHY"), rows)
    if reply["next"] is not None:
        say(f"there are more: --after {reply['next']}")
