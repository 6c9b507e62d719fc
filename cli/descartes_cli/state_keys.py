"""Read and change what agents keep under keys."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from descartes_cli import options
from descartes_cli.client import change, read
from descartes_cli.finding import find_agent
from descartes_cli.render import print_json, print_table, printable, say
from descartes_cli.session_named import around
from descartes_core.errors import InvalidParams
from descartes_core.ids import short
from descartes_local.home import find_home
from descartes_orchestrator import sessions

#: As many as one page may have.
_PAGE = 10_000
_key = click.argument("key", metavar="KEY")
_expected = click.option(
    "--expect",
    "expected",
    type=click.IntRange(min=0),
    metavar="N",
    help="Only where the key has this version; 0: only where it is not there.",
)
_GET = """\b
Examples:
  descartes state get fixer plan
  descartes state get fixer plan --json | jq .version
  descartes state get fixer plan --version 3
"""
_SET = """\b
Examples:
  descartes state set fixer phase review
  descartes state set fixer progress '{"done": 3, "of": 8}' --expect 2
  git diff | descartes state set fixer patch - --text
"""
_QUERY = """\b
Examples:
  descartes state query
  descartes state query fixer --prefix plan/
  descartes state query -s shop --json | jq '.state[] | select(.key == "phase")'
"""
_DELETE = """\b
Examples:
  descartes state delete fixer plan
  descartes state delete fixer plan --expect 3
"""


@click.command("get", epilog=_GET)
@options.agent
@_key
@click.option("--version", type=click.IntRange(min=1), metavar="N", help="As this change left it.")
@options.session
@options.as_json
def get(agent: str, key: str, version: int | None, session: str | None, as_json: bool) -> None:
    """Print the value, as JSON; with --json also its version, and when it was set.

    Of each key the last 20 values are kept, and those in snapshots. The daemon of an Inactive session is started.
    """
    found = find_agent(find_home(), agent, session)
    reply = read(found.socket, "state.get", {"agent_id": found.id, "key": key, "version": version})
    print_json(reply if as_json else reply["value"])


@click.command("set", epilog=_SET)
@options.agent
@_key
@click.argument("value", metavar="VALUE")
@click.option("--text", "is_text", is_flag=True, help="VALUE is text, also where it is JSON.")
@_expected
@options.session
@options.as_json
def set_value(
    agent: str, key: str, value: str, is_text: bool, expected: int | None, session: str | None, as_json: bool
) -> None:
    """Keep VALUE under KEY: JSON, else text; - reads it from stdin.

    Who keeps what is recorded (descartes history AGENT --keys), and told as an event without the value.
    """
    given = _stdin() if value == "-" else value
    found = find_agent(find_home(), agent, session)
    params = {"agent_id": found.id, "key": key, "value": given if is_text else _meant(given)}
    _show(change(found.socket, "state.set", params | _bound(expected)), as_json=as_json)


@click.command("delete", epilog=_DELETE)
@options.agent
@_key
@_expected
@options.session
@options.as_json
def delete(agent: str, key: str, expected: int | None, session: str | None, as_json: bool) -> None:
    """Keep nothing under KEY any more; its versions go on counting."""
    found = find_agent(find_home(), agent, session)
    params = {"agent_id": found.id, "key": key}
    _show(change(found.socket, "state.delete", params | _bound(expected)), as_json=as_json)


@click.command("query", epilog=_QUERY)
@click.argument("agent", required=False, metavar="[AGENT]", shell_complete=options.complete_agents)
@click.option("--key", metavar="KEY", help="Only this key.")
@click.option("--prefix", default="", metavar="TEXT", help="Only keys that begin so.")
@options.session
@options.as_json
def query(agent: str | None, key: str | None, prefix: str, session: str | None, as_json: bool) -> None:
    """List what an agent keeps, or all agents of the session around here."""
    home = find_home()
    if agent is not None:
        found = find_agent(home, agent, session)
        socket, params = found.socket, {"agent_id": found.id}
    else:
        socket, params = str(sessions.start(home, around(home, session, "-s SESSION"))["socket"]), {}
    wanted = {**params, "key": key, "prefix": prefix, "limit": _PAGE}
    page = read(socket, "state.query", wanted)
    rows = page["state"]
    while page["next"] is not None:
        page = read(socket, "state.query", {**wanted, "after": page["next"]})
        rows += page["state"]
    if as_json:
        print_json({"state": rows, "timestamp": page["timestamp"]})
    elif rows:
        lines = [
            (
                printable(short(one["agent_id"])),
                printable(one["key"]),
                str(one["version"]),
                one["updated_at"][:19],
                printable(json.dumps(one["value"], ensure_ascii=False)),
            )
            for one in rows
        ]
        print_table(("AGENT", "KEY", "VERSION", "SET", "VALUE"), lines)
    else:
        say("nothing is kept")


def _stdin() -> str:
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise InvalidParams(f"what came on stdin is no UTF-8: {error.reason} at byte {error.start}") from None


def _meant(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_number)
    except RecursionError:
        raise InvalidParams("the value is nested too deeply") from None
    except ValueError:
        return text


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


def _bound(expected: int | None) -> dict[str, int]:
    return {} if expected is None else {"expected_version": expected}


def _show(reply: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(reply)
    else:
        say(f"{printable(reply['key'])} {reply['event_type']}: version {reply['version']}")
