"""Whom the hub lets in: invite, list, revoke."""

from __future__ import annotations

import time
from typing import Any

import click

from descartes_cli import options
from descartes_cli.render import ago, print_json, print_table, printable
from descartes_core import times
from descartes_local.home import find_home
from descartes_orchestrator.hub_client import ask

_ENROLL = """\b
Examples:
  descartes hub enroll --role runner --name big --label gpu
  descartes hub enroll --role daemon --ttl 10m
  descartes hub enroll --role client --name ci --json | jq -r .token
"""
_THERE = {"runner": "descartes runner {}", "daemon": "descartes hub join {}", "client": "see docs/bus.md: {}"}
_LOCAL = ("127.", "localhost", "[::1]")


@click.command("enroll", epilog=_ENROLL)
@click.option(
    "--role",
    type=click.Choice(["runner", "daemon", "client"]),
    default="runner",
    show_default=True,
    help="runner lends its machine, daemon runs agents on runners, client is a program that asks daemons.",
)
@click.option("--name", default="", metavar="NAME", help="What it is called; default: what it calls itself.")
@click.option("--label", "labels", multiple=True, metavar="LABEL", help="What a runner is good for, for spawn --on.")
@click.option(
    "--ttl", type=options.TIME, default="1h", show_default=True, metavar="TIME", help="How long the token works."
)
@click.option("--advertise", metavar="HOST", help="Where the other machine reaches this one; default: by its route.")
@options.as_json
def enroll(role: str, name: str, labels: tuple[str, ...], ttl: float, advertise: str | None, as_json: bool) -> None:
    """Print a token that lets a machine or a program in, once and in time.

    Who has the token is let in: give it as you would a password.
    """
    from descartes_orchestrator import hub_service  # who lists peers does not pay for it

    home = find_home()
    endpoint = hub_service.reachable_endpoint(ask(home, "hub.status")["endpoint"], advertise)
    params = {"role": role, "name": name, "labels": list(labels), "ttl": ttl, "endpoint": endpoint}
    told: dict[str, Any] = ask(home, "hub.enroll", params)
    if as_json:
        print_json(told)
        return
    click.echo(told["token"])
    click.echo(f"there, until {told['expires_at']}: {_THERE[role].format('TOKEN')}", err=True)
    click.echo(f"it reaches this hub at {endpoint}; --advertise HOST says otherwise", err=True)
    if hub_service.parts(endpoint)[1].startswith(_LOCAL):
        click.echo("that is on this machine only", err=True)


_PEERS = """\b
Examples:
  descartes hub peers
  descartes hub peers --json | jq '.peers[].name'
"""


@click.command("peers", epilog=_PEERS)
@options.as_json
def peers(as_json: bool) -> None:
    """List everybody who is enrolled, and how they are."""
    told: dict[str, Any] = ask(find_home(), "hub.peers")
    if as_json:
        print_json(told)
        return
    print_table(
        ("NAME", "ROLE", "STATE", "LAST HEARD", "VERSION", "LABELS"),
        [(_named(row), row["role"], row["state"], heard(row), row["version"], _more(row)) for row in told["peers"]],
        coloured=2,
    )


_REVOKE = """\b
Examples:
  descartes hub revoke big
"""


@click.command("revoke", epilog=_REVOKE)
@options.peer
@options.as_json
def revoke(name: str, as_json: bool) -> None:
    """Let somebody in no more; living connections end at once. Its agents, if it runs any, go on there.

    Tokens of that name that nobody has used work no more either.
    """
    told = ask(find_home(), "hub.revoke", {"name": name})
    if as_json:
        print_json(told)
    else:
        click.echo(f"{told['role']} {printable(told['name'])} is not enrolled any more")


def heard(row: dict[str, Any]) -> str:
    """Return when somebody was last heard, as far as the hub remembers: it forgets whom it does not meet."""
    return ago(max(0.0, time.time() - times.read(row["last_heard"]))) if row["last_heard"] else "-"


def _named(row: dict[str, Any]) -> str:
    title = f" ({row['title']})" if row["title"] else ""
    return printable(f"{row['name']}{title}")


def _more(row: dict[str, Any]) -> str:
    labels = ",".join(row["labels"])
    return printable("  ".join(filter(None, (labels, row["failure"]))))
