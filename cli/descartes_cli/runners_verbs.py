"""List runners, drain them, remove them."""

from __future__ import annotations

import contextlib
from typing import Any

import click

from descartes_cli import options
from descartes_cli.hub_peers import heard
from descartes_cli.render import print_json, print_table, printable, say_wrong
from descartes_core.errors import DescartesError, Unavailable
from descartes_local.home import Home, find_home
from descartes_local.rpc_client import call
from descartes_local.run_file import read_run_files
from descartes_orchestrator.hub_client import ask

_PATIENCE = 5.0

_LIST = """\b
Examples:
  descartes runners list
  descartes runners list --json | jq '.runners[] | select(.state == "Connected") | .name'
"""


@click.command("list", epilog=_LIST)
@options.as_json
def list_runners(as_json: bool) -> None:
    """List the runners that the hub has enrolled, and how they are; with a hub elsewhere, as our daemons see them."""
    rows = _rows(find_home())
    if as_json:
        print_json({"runners": rows})
        return
    print_table(
        ("NAME", "STATE", "AGENTS", "LOAD", "LAST HEARD", "VERSION", "LABELS"),
        [_cells(row) for row in rows],
        coloured=1,
    )


_DRAIN = """\b
Examples:
  descartes runners drain big
  descartes runners drain big --undo
"""


@click.command("drain", epilog=_DRAIN)
@options.peer
@click.option("--undo", is_flag=True, help="Let it have new agents again.")
@options.as_json
def drain(name: str, undo: bool, as_json: bool) -> None:
    """Give a runner no new agents; those it has go on. It is remembered until it is undone."""
    told = ask(find_home(), "hub.drain", {"name": name, "drain": not undo})
    if as_json:
        print_json(told)
    else:
        click.echo(f"{printable(name)} gets {'agents again' if undo else 'no new agents'}")


_REMOVE = """\b
Examples:
  descartes runners remove big
"""


@click.command("remove", epilog=_REMOVE)
@options.peer
@options.as_json
def remove(name: str, as_json: bool) -> None:
    """Let a runner in no more, at once. Its agents go on there until somebody ends them on that machine."""
    home = find_home()
    rows: list[dict[str, Any]] = ask(home, "hub.peers", {"role": "runner"})["peers"]
    told = ask(home, "hub.revoke", {"name": name, "role": "runner"})
    if as_json:
        print_json(told)
        return
    click.echo(f"{printable(name)} is no runner of this hub any more")
    if left := sum(row["agents"] for row in rows if row["name"] == name):
        say_wrong(f"agents that go on there, and are lost here: {left}; on that machine: descartes ps, descartes kill")


def _rows(home: Home) -> list[dict[str, Any]]:
    try:
        rows: list[dict[str, Any]] = ask(home, "hub.peers", {"role": "runner"})["peers"]
    except Unavailable:
        told = _seen_by_a_daemon(home)
        if told is None:
            raise
        rows = told
    return rows


def _seen_by_a_daemon(home: Home) -> list[dict[str, Any]] | None:
    """Return the runners that a daemon of ours hears of; None where none belongs to a bus."""
    for run in read_run_files(home):
        with contextlib.suppress(DescartesError):
            status: Any = call(run.socket, "bus.status", {}, timeout=_PATIENCE) if run.is_alive else None
            if status is not None and status["role"] == "daemon":  # runners hear of no runners
                is_connected = status["state"] == "Connected"
                return [_row(peer, is_connected) for peer in status["peers"] if peer["role"] == "runner"]
    return None


def _row(peer: dict[str, Any], is_connected: bool) -> dict[str, Any]:
    state = "Connected" if is_connected and peer["state"] == "connected" else "Reconnecting"
    return {**peer, "state": state, "draining": peer["is_draining"], "failure": None}


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    agents = f"{row['agents']}/{row['capacity']}" if row["capacity"] else str(row["agents"])
    state = row["state"] + (" draining" if row["draining"] else "")
    more = "  ".join(filter(None, (",".join(row["labels"]), row["failure"])))
    return printable(row["name"]), state, agents, f"{row['load']:.2f}", heard(row), row["version"], printable(more)
