"""Read what happened."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click

from descartes_cli import options
from descartes_cli.client import read
from descartes_cli.following import follow
from descartes_cli.render import print_json, printable, say_wrong
from descartes_cli.session_named import find_session
from descartes_core.errors import InvalidParams
from descartes_core.ids import short
from descartes_local.home import find_home
from descartes_local.run_file import RunFile, read_run_files
from descartes_orchestrator import sessions

_PAGE = 10_000


@click.command("events")
@click.option("-f", "--follow", "is_followed", is_flag=True, help="Go on with what happens from now, or after --since.")
@click.option("--since", type=click.IntRange(min=0), metavar="N", help="After this seq; of one session only.")
@options.session
@options.as_json
def events(is_followed: bool, since: int | None, session: str | None, as_json: bool) -> None:
    """Print what happened in the sessions that are Active, oldest first; -s starts an Inactive one.

    The third column is the seq, which counts each session's events. With -f and --json each is one line of JSON.
    """
    home = find_home()
    only = None
    if session is not None:
        found = find_session(home, session)
        only = found.id
        sessions.start(home, found)
    runs = [run for run in read_run_files(home) if only in (None, run.session_id)]
    if since is not None and len(runs) > 1:
        raise InvalidParams("--since counts within one session: name it with -s")
    if is_followed:
        for event in follow(home, only, since):
            _print(event, as_json)
        return
    past = [event for run in runs for event in _past(run, since or 0)]
    past.sort(key=lambda event: (event["timestamp"], event["seq"]))
    if as_json:
        print_json({"events": past})
    elif not runs:
        say_wrong("no sessions are active; -s SESSION starts one and tells of it")
    else:
        for event in past:
            _print(event, False)


def _past(run: RunFile, since: int) -> Iterator[dict[str, Any]]:
    while True:
        reply = read(run.socket, "event.list", {"since": since, "limit": _PAGE})
        yield from ({"session_id": run.session_id, **event} for event in reply["events"])
        since = reply["next_since"]
        if since >= reply["last_seq"]:
            return


def _print(event: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(event))
        return
    agent = short(event["agent_id"]) if event["agent_id"] else "-"
    told = printable(json.dumps(event["data"], ensure_ascii=False))
    what = f"{event['type']}.{event['event_type']}"
    click.echo(f"{event['timestamp']}  {short(event['session_id'])}  {event['seq']:>5}  {what:<24} {agent:<8}  {told}")
