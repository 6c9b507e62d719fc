"""End everything in order: sessions, then the supervisor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from descartes_cli import options
from descartes_cli.asking import Question, answered, ask_all
from descartes_cli.progress import lasting
from descartes_cli.render import print_json, printable
from descartes_core.agent_life import FINAL
from descartes_core.errors import AgentsAlive, DaemonUnreachable, DeadlineOver
from descartes_local import supervisor_client
from descartes_local.home import Home, find_home
from descartes_local.processes import process_of, wait_for_end
from descartes_local.rpc_client import Connection
from descartes_orchestrator import sessions

_EXAMPLES = """\b
Examples:
  descartes supervisor stop                        # refused while agents live
  descartes supervisor stop --agents end --grace 5
"""


@click.command("stop", epilog=_EXAMPLES)
@click.option(
    "--agents",
    "policy",
    type=click.Choice(["refuse", "end"]),
    default="refuse",
    show_default=True,
    help="What becomes of living agents: refuse to stop, or end them first.",
)
@click.option("--grace", type=options.Seconds(0, 3600), metavar="SECONDS", help="Instead of each agent's own.")
@options.as_json
def stop(policy: str, grace: float | None, as_json: bool) -> None:
    """End every session's daemon, one after the other, then the hub and the supervisor.

    It also ends by itself, 10 s after the last of them.
    """
    home = find_home()
    connection = supervisor_client.connect(home)
    ended: dict[str, list[str]] = {}
    if connection is not None:
        with connection:
            process = process_of(connection.call("ping")["pid"])
            try:
                ended = _end_all(home, connection, policy == "end", grace, as_json=as_json)
            except DaemonUnreachable:
                # Another one may have asked for the same: what counts is that it has ended.
                if process is None or not wait_for_end(process, supervisor_client.PATIENCE):
                    raise
        if process is not None and not wait_for_end(process, supervisor_client.PATIENCE):
            raise DeadlineOver(f"the supervisor (pid {process.pid}) was asked to end, and does not")
    if as_json:
        print_json({"running": False, "ended": ended})
    else:
        click.echo("the supervisor has ended" if connection else "no supervisor is running")


def _end_all(
    home: Home, connection: Connection, force: bool, grace: float | None, *, as_json: bool
) -> dict[str, list[str]]:
    """End daemons, services and the supervisor; return the agents that ended, by session."""
    told, ended = connection.call("list"), dict[str, list[str]]()
    held = [entry for entry in told["sessions"] if not entry["at_rest"]]
    services = [entry for entry in told.get("services", ()) if not entry["at_rest"]]
    if not force:
        _refuse_living(home, held)
    for entry in held:
        ended[entry["id"]] = _stop(home, connection, entry, force, grace)
        if not as_json:
            _say_stopped(entry, ended[entry["id"]])
    for entry in services:  # last: agents that end elsewhere are told of by it
        connection.call("stop", {"id": entry["id"]})
        if not as_json:
            _say_stopped(entry, [])
    connection.call("shutdown")
    return ended


def _refuse_living(home: Home, held: list[dict[str, Any]]) -> None:
    """Refuse to stop anything while an agent lives.

    Raises:
        AgentsAlive: one does; all are named.

    """
    living = list(_living(home, held))
    if living:
        count = f"{len(living)} agents are" if len(living) > 1 else "1 agent is"
        raise AgentsAlive(
            f"{count} alive: {', '.join(living)}; nothing was stopped: "
            "descartes supervisor stop --agents end ends them first"
        )


def _living(home: Home, held: list[dict[str, Any]]) -> Iterator[str]:
    running = [entry for entry in held if entry["pid"] is not None]
    asked = {entry["id"]: Question(str(home.daemon_socket(entry["id"])), "agent.list", {}) for entry in running}
    told = dict(answered(ask_all(asked)))
    for entry in held:
        name = printable(entry["name"])
        if entry["id"] not in told:
            # Nobody knows how they are: what is kept may live.
            yield from [f"one of {name}"] * entry["kept"]
            continue
        for agent in told[entry["id"]]["agents"]:
            if agent["status"] not in FINAL:
                yield f"{printable(agent['name'] or agent['id'])} of {name}"


def _stop(home: Home, supervisor: Connection, entry: dict[str, Any], force: bool, grace: float | None) -> list[str]:
    with lasting(f"stopping {printable(entry['name'])}"):
        found = next((one for one in sessions.known(home) if one.id == entry["id"]), None)
        if found is not None:
            return sessions.stop(home, found, force=force, grace=grace)
        # Its workspace is gone, and forgotten; only the supervisor still knows of it.
        supervisor.call("stop", {"id": entry["id"]} | ({} if grace is None else {"grace": grace}))
        return []


def _say_stopped(entry: dict[str, Any], ended: list[str]) -> None:
    agents = f", agents ended: {len(ended)}" if ended else ""
    click.echo(f"{printable(entry['name'])} has stopped{agents}")
