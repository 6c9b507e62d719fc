"""Read what happened."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator
from typing import Any

import click

from descartes_cli import options
from descartes_cli.client import read
from descartes_cli.finding import Search
from descartes_cli.following import follow, say_gap
from descartes_cli.render import printable, say_wrong
from descartes_cli.session_named import find_session
from descartes_core.errors import InvalidParams, Unavailable
from descartes_core.ids import short
from descartes_local.home import Home, find_home
from descartes_local.run_file import RunFile, read_run_files
from descartes_orchestrator import sessions

_PAGE = 10_000
_CATEGORIES = ("agent", "task", "workflow", "system", "state")
_EXAMPLES = """\b
Examples:
  descartes events -f
  descartes events -s shop --agent fixer --since 120
  descartes events --since 1h --until 30m
  descartes events -f --json --category system | jq .event_type
  descartes events --filter '{"event_categories": ["agent", "system"]}'
"""


@click.command("events", epilog=_EXAMPLES)
@click.option("-f", "--follow", "is_followed", is_flag=True, help="Go on with what happens from now, or after --since.")
@click.option(
    "--since",
    type=options.Moment(or_seq=True),
    metavar="WHEN",
    help="From this time: 1h (so long ago), 2026-11-22T08:00Z; or after this seq, a number: of one session only.",
)
@click.option("--until", type=options.Moment(), metavar="WHEN", help="Before this time.")
@click.option("--category", "categories", multiple=True, type=click.Choice(_CATEGORIES), help="Only these; repeatable.")
@click.option(
    "--agent",
    "agents",
    multiple=True,
    metavar="AGENT",
    shell_complete=options.complete_agents,
    help="Only what happened to this agent (id, prefix or name); repeatable.",
)
@click.option(
    "--filter",
    "text",
    metavar="JSON",
    help="A filter as the daemon takes it: agent_ids, task_ids, workflow_ids, event_categories.",
)
@options.session
@options.as_json
def events(
    is_followed: bool,
    since: int | str | None,
    until: str | None,
    categories: tuple[str, ...],
    agents: tuple[str, ...],
    text: str | None,
    session: str | None,
    as_json: bool,
) -> int:
    """Print what happened in the sessions that are Active, oldest first; -s starts an Inactive one.

    The third column is the seq, which counts each session's events. With --json each event is one line of JSON, written
    at once. What is kept no more, and which daemon does not answer, is told on stderr.
    """
    home = find_home()
    only = None
    if session is not None:
        found = find_session(home, session)
        only = found.id
        sessions.start(home, found)
    times = {"from_time": since if isinstance(since, str) else None, "to_time": until}
    wanted = {"filter": _filter(home, session, text, categories, agents), **{k: v for k, v in times.items() if v}}
    begin = 0 if isinstance(since, str) else since
    runs = [run for run in read_run_files(home) if only in (None, run.session_id)]
    if isinstance(since, int) and len(runs) > 1:
        raise InvalidParams("--since with a number counts within one session: name it with -s")
    if not runs and not is_followed:
        say_wrong("no sessions are active; -s SESSION starts one and tells of it")
    # Each session's own order holds, also where its clock was set back meanwhile.
    silent: list[Unavailable] = []
    told = (_past(run, begin or 0, wanted, silent) for run in runs)
    past = heapq.merge(*told, key=lambda event: event["timestamp"])
    for event in follow(home, only, begin, wanted) if is_followed else past:
        click.echo(json.dumps(event) if as_json else _line(event))
    return silent[0].exit if silent else 0


def _filter(
    home: Home, session: str | None, text: str | None, categories: tuple[str, ...], agents: tuple[str, ...]
) -> dict[str, Any]:
    try:
        wanted = json.loads(text) if text is not None else {}
    except ValueError as error:
        raise InvalidParams(f"--filter is not JSON: {error}") from error
    if not isinstance(wanted, dict):
        raise InvalidParams('--filter must be an object, for example {"event_categories": ["system"]}')
    if agents:
        search = Search(home, session)
        wanted["agent_ids"] = [*wanted.get("agent_ids", []), *(search.find(agent).id for agent in agents)]
    if categories:
        wanted["event_categories"] = [*wanted.get("event_categories", []), *categories]
    elif agents and "event_categories" not in wanted:
        wanted["event_categories"] = ["agent"]  # ids leave other categories alone
    return wanted


def _past(run: RunFile, since: int, wanted: dict[str, Any], silent: list[Unavailable]) -> Iterator[dict[str, Any]]:
    """Walk over one session's events; a daemon that does not answer keeps nobody from hearing of the others."""
    while True:
        try:
            reply = read(run.socket, "event.list", {**wanted, "since": since, "limit": _PAGE})
        except Unavailable as error:
            say_wrong(f"{run.name} tells nothing after event {since}: {error.message}")
            silent.append(error)
            return
        say_gap(run.name, since, reply)
        yield from ({"session_id": run.session_id, **event} for event in reply["events"])
        since = reply["next_since"]
        if since >= reply["last_seq"]:
            return


def _line(event: dict[str, Any]) -> str:
    agent = short(event["agent_id"]) if event["agent_id"] else "-"
    told = printable(json.dumps(event["data"], ensure_ascii=False))
    what = f"{event['type']}.{event['event_type']}"
    return f"{event['timestamp']}  {short(event['session_id'])}  {event['seq']:>5}  {what:<24} {agent:<8}  {told}"
