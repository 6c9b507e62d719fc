"""Take snapshots of a session's state, list them, and go back to one."""

from __future__ import annotations

from typing import Any

import click

from descartes_cli import of_session, options
from descartes_cli.render import print_json, print_table, printable, say
from descartes_core.ids import short

_snapshot = click.argument("name", metavar="SNAPSHOT")
_TAKE = """\b
Examples:
  descartes state snapshot --description 'before the migration'
  descartes state snapshot -s shop --expires 7d --json | jq -r .snapshot.id
"""
_LIST = """\b
Examples:
  descartes state snapshots
  descartes state snapshots 3f2a91c0      how the agents were then
"""
_RESTORE = """\b
Examples:
  descartes state restore 3f2a91c0
  descartes state restore 3f2a91c0 --json | jq '.living[].name'
"""
_FORGET = """\b
Examples:
  descartes state forget 3f2a91c0
"""


@click.command("snapshot", epilog=_TAKE)
@click.option("--description", metavar="TEXT", help="What it is for.")
@click.option("--expires", type=options.TIME, metavar="TIME", help="Forget it after so long: 12h, 7d.")
@of_session.session
@options.as_json
def snapshot(description: str | None, expires: float | None, session: str | None, as_json: bool) -> None:
    """Keep what agents keep under keys, the session's own tasks, and how its agents are, as all of it is now."""
    asked = {"description": description, "expires_in": expires}
    given = {key: value for key, value in asked.items() if value is not None}
    reply = of_session.change_session(session, "state.snapshot", given)
    if as_json:
        print_json(reply)
        return
    taken = reply["snapshot"]
    say(f"snapshot {short(taken['id'])}: {_amounts(taken)}")


@click.command("snapshots", epilog=_LIST)
@click.argument("name", required=False, metavar="[SNAPSHOT]")
@of_session.session
@options.as_json
def snapshots(name: str | None, session: str | None, as_json: bool) -> None:
    """List the snapshots of a session, oldest first; of SNAPSHOT alone, also how its agents were."""
    reply = of_session.ask_session(session, "state.snapshots", {} if name is None else {"snapshot_id": name})
    if as_json:
        print_json(reply)
        return
    rows = [
        (
            short(one["id"]),
            one["at"][:19],
            (one["expires_at"] or "never")[:19],
            _amounts(one),
            printable(one["description"] or ""),
        )
        for one in reply["snapshots"]
    ]
    if rows:
        print_table(("ID", "TAKEN", "EXPIRES", "HAS", "DESCRIPTION"), rows)
    else:
        say("there are no snapshots")
    if reply["agents"]:
        agents = [(short(one["id"]), one["status"], printable(one["name"])) for one in reply["agents"]]
        print_table(("AGENT", "WAS", "NAME"), agents)


@click.command("restore", epilog=_RESTORE)
@_snapshot
@of_session.session
@options.as_json
def restore(name: str, session: str | None, as_json: bool) -> None:
    """Put what ended agents keep under keys, and the session's own tasks, back to how they were in SNAPSHOT.

    Living agents, and agents that are younger than it, keep what they have. Each change is recorded (descartes history
    --keys), and what was there before stays among the versions of its key. Own tasks that were not there then go.
    """
    reply = of_session.change_session(session, "state.restore", {"snapshot_id": name})
    if as_json:
        print_json(reply)
        return
    keys = f"{_count(reply['keys_set'], 'key')} put back, {reply['keys_deleted']} removed"
    tasks = f"{_count(reply['tasks_restored'], 'task')} put back, {reply['tasks_deleted']} removed"
    say(f"{keys}, of {_count(len(reply['agents']), 'agent')}; {tasks}")
    for one in reply["living"]:
        say(f"{printable(one['name'])} ({short(one['id'])}) is {one['status']}: nothing of it was touched")


@click.command("forget", epilog=_FORGET)
@_snapshot
@of_session.session
@options.as_json
def forget(name: str, session: str | None, as_json: bool) -> None:
    """Remove SNAPSHOT, and the values that nothing else keeps any more."""
    reply = of_session.change_session(session, "state.forget", {"snapshot_id": name})
    if as_json:
        print_json(reply)
    else:
        say(f"snapshot {short(reply['snapshot']['id'])} is forgotten")


def _amounts(taken: dict[str, Any]) -> str:
    return ", ".join(_count(taken[f"{what}s"], what) for what in ("key", "task", "agent"))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
