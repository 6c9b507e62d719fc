"""Start, stop and look at the hub; belong to one."""

from __future__ import annotations

import os
from typing import Any

import click

from descartes_cli import options, token_word
from descartes_cli.progress import lasting
from descartes_cli.render import print_json, printable, say_wrong
from descartes_core.errors import Unavailable
from descartes_local.bus_file import BusFile
from descartes_local.home import find_home
from descartes_orchestrator import hub_service
from descartes_orchestrator.hub_client import ask

_NAME = click.option(
    "--name", metavar="NAME", help="What this machine's daemons are called there; default: its own name."
)

_START = """\b
Examples:
  descartes hub start
  descartes hub start --endpoint tcp://10.0.0.1:5555
"""


@click.command("start", epilog=_START)
@click.option(
    "--endpoint", metavar="ENDPOINT", help="Where to listen, this time; [hub] endpoint configures it for good."
)
@_NAME
@options.as_json
def start(endpoint: str | None, name: str | None, as_json: bool) -> None:
    """Start the hub, where it does not run, and let this machine's daemons belong to it, also those that run.

    The supervisor keeps it, and starts it again when it dies. It always asks for an enrolled key: see hub enroll.
    """
    home = find_home()
    if endpoint is not None:
        if not endpoint.startswith(("tcp://", "ipc://")):
            raise click.UsageError(
                f"{endpoint} is no endpoint: write tcp://10.0.0.1:5555, or tcp://*:5555 for all addresses"
            )
        os.environ["DESCARTES_HUB__ENDPOINT"] = endpoint
    with lasting("starting the hub"):
        status = hub_service.start(home)
        file = hub_service.belong_to_own(home, name or _own_name())
        heard = hub_service.connect_daemons(home) if file is not None else []
    if as_json:
        print_json({**status, "name": file.name if file else None, "daemons": heard})
        return
    click.echo(f"the hub (pid {status['pid']}) listens at {printable(status['endpoint'])}")
    if endpoint is not None and not _is_at(status["endpoint"], endpoint):
        say_wrong(f"it ran already, and not at {endpoint}: descartes hub stop, then start it there")
    if file is None:
        say_wrong("the daemons of this machine belong to another hub, and stay there (~/.descartes/bus.json)")
    else:
        click.echo(f"the daemons of this machine are {printable(file.name)} there{_told(heard)}")


_STOP = """\b
Examples:
  descartes hub stop
"""


@click.command("stop", epilog=_STOP)
@options.as_json
def stop(as_json: bool) -> None:
    """End the hub. Agents go on, here and on runners; who was connected tries again until there is a hub."""
    with lasting("stopping the hub"):
        was_there = hub_service.stop(find_home())
    if as_json:
        print_json({"running": False, "was_running": was_there})
    else:
        click.echo("the hub has ended" if was_there else "no hub is running")


_STATUS = """\b
Examples:
  descartes hub status
  descartes hub status --json | jq .peers
"""


@click.command("status", epilog=_STATUS)
@options.as_json
def status(as_json: bool) -> None:
    """Tell where the hub listens, its key, and how many are there. It starts none."""
    try:
        told: dict[str, Any] = ask(find_home(), "hub.status")
    except Unavailable as error:
        if as_json:
            print_json({"running": False, "error": error.message})
        else:
            click.echo(error.message)
        return
    if as_json:
        print_json({"running": True, **told})
        return
    for key in ("pid", "endpoint", "public_key", "server_id", "peers", "agents", "messages", "started_at", "version"):
        click.echo(f"{key:<18} {printable(str(told[key]))}")
    for key, value in told["statistics"].items():
        click.echo(f"  {key:<16} {value}")


_JOIN = """\b
Examples:
  descartes hub join descartes-gqF2Aa…
  descartes hub join - < token
"""


@click.command("join", epilog=_JOIN)
@click.argument("token", metavar="TOKEN")
@_NAME
@options.as_json
def join(token: str, name: str | None, as_json: bool) -> None:
    """Let this machine's daemons belong to the hub that a token names, also those that run.

    Such a token is printed there by: descartes hub enroll --role daemon
    """
    word = token_word.read(token, "descartes hub join")
    home = find_home()
    with lasting("asking the hub"):
        file = hub_service.join(home, word, name or _own_name())
        heard = hub_service.connect_daemons(home)
    if as_json:
        print_json({"hub": file.hub, "hub_key": file.hub_key, "name": file.name, "daemons": heard})
    else:
        click.echo(f"the daemons of this machine belong to {_place(file)}{_told(heard)}")


def _place(file: BusFile) -> str:
    return printable(f"the hub at {file.hub}, and are {file.name} there")


def _told(heard: list[str]) -> str:
    return f"; connected: {printable(', '.join(heard))}" if heard else ""


def _own_name() -> str:
    from descartes_orchestrator.hub.settings import host_name

    return host_name()


def _is_at(told: str, asked: str) -> bool:
    return told == asked or hub_service.parts(asked)[2] in ("*", "0") or not hub_service.parts(asked)[2]
