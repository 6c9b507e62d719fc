"""Tell how agents came to where they are, and why."""

from __future__ import annotations

from typing import Any

import click

from descartes_cli import options
from descartes_cli.client import read
from descartes_cli.finding import find_agent
from descartes_cli.render import print_json, print_table, printable, say
from descartes_cli.session_named import around
from descartes_core.ids import short
from descartes_local.home import find_home
from descartes_orchestrator import sessions

#: As many as one page may have.
_PAGE = 10_000
_EXAMPLES = """\b
Examples:
  descartes history fixer
  descartes history fixer --cause ended_badly --since 2d
  descartes history -s shop --limit 50         of all its agents
  descartes history fixer --keys               what it kept, and who changed it
  descartes history fixer --json | jq '.transitions[-1].evidence'
"""


@click.command("history", epilog=_EXAMPLES)
@click.argument("agent", required=False, metavar="[AGENT]", shell_complete=options.complete_agents)
@click.option("--since", type=options.Moment(), metavar="TIME", help="From then on: an age (10m, 2d) or a time.")
@click.option("--until", type=options.Moment(), metavar="TIME", help="Before then.")
@click.option("--cause", metavar="CAUSE", help="Only by this cause: ended_badly, stop_asked, limit_hit …")
@click.option("--keys", "is_of_keys", is_flag=True, help="How what agents keep under keys changed, instead.")
@click.option("--key", metavar="KEY", help="The same, of one key.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="The newest so many.")
@options.session
@options.as_json
def history(
    agent: str | None,
    since: str | None,
    until: str | None,
    cause: str | None,
    is_of_keys: bool,
    key: str | None,
    limit: int | None,
    session: str | None,
    as_json: bool,
) -> None:
    """Tell how an agent came to where it is, oldest first: when, why, and what was seen; without AGENT of all here.

    Ended agents have a history, too, and those of Inactive sessions, whose daemon is started; and those elsewhere.
    """
    home = find_home()
    asked: dict[str, Any] = {"of": "keys" if is_of_keys or key is not None else "agents"}
    if agent is not None:
        found = find_agent(home, agent, session)
        socket, asked["agent_id"] = found.socket, found.id
    else:
        socket = str(sessions.start(home, around(home, session, "-s SESSION"))["socket"])
    given = {"since": since, "until": until, "cause": cause, "key": key}
    asked |= {name: value for name, value in given.items() if value is not None}
    told = _all(socket, asked, limit)
    if as_json:
        print_json({"transitions": told})
    elif told:
        _show(told, is_of_one=agent is not None, is_of_keys=asked["of"] == "keys")
    else:
        say("nothing of that is recorded")


def _all(socket: str, asked: dict[str, Any], limit: int | None) -> list[dict[str, Any]]:
    """Return as many as are wanted, oldest first, in as many pages as that takes."""
    if limit is not None and limit <= _PAGE:
        return list(read(socket, "state.transitions", {**asked, "limit": limit, "newest": True})["transitions"])
    told: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        page = read(socket, "state.transitions", {**asked, "limit": _PAGE, "after": after})
        told += page["transitions"]
        after = page["next"]
    return told if limit is None else told[-limit:]


def _show(told: list[dict[str, Any]], *, is_of_one: bool, is_of_keys: bool) -> None:
    heads = ["WHEN", "AGENT", "KEY", "FROM", "TO", "WHY", "SEEN"]
    rows = [
        [
            one["at"][:23],
            printable(short(one["agent_id"] or "-")),
            printable(one.get("key") or "-"),
            one["was"],
            one["became"],
            one["cause"].replace("_", " "),
            printable(one["evidence"] or "-"),
        ]
        for one in told
    ]
    shown = {"AGENT": not is_of_one, "KEY": is_of_keys}
    kept = [number for number, head in enumerate(heads) if shown.get(head, True)]
    print_table([heads[number] for number in kept], [[row[number] for number in kept] for row in rows])
