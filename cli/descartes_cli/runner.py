"""Lend this machine to the daemons of a hub, and tell what is done for them."""

from __future__ import annotations

import shlex
import signal
from pathlib import Path
from typing import Any

import click

from descartes_cli import options, token_word
from descartes_cli.client import change, read
from descartes_cli.following import follow
from descartes_cli.progress import lasting
from descartes_cli.render import print_json, printable, say_wrong
from descartes_cli.runner_news import line_of
from descartes_core.errors import DaemonUnreachable
from descartes_local.home import Home, find_home
from descartes_orchestrator import runner as runner_sessions
from descartes_orchestrator import sessions
from descartes_orchestrator.runner import Runner, Wish

_EXAMPLES = """\b
Examples:
  descartes runner descartes-hKF2AaFl…            # the first time: the token of `descartes hub enroll`
  descartes runner - < token                      # a token that stands in no command line
  descartes runner                                # from then on
  descartes runner --capacity 8 --detach          # the supervisor keeps it; nobody watches
  descartes runner --config /etc/descartes-runner.toml
"""


@click.command("runner", epilog=_EXAMPLES)
@click.argument("token", required=False, metavar="[TOKEN]")
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A TOML file with a table [runner]: token, name, capacity.",
)
@click.option("--name", metavar="NAME", help="Which one, or what to call it where the token names nobody.")
@click.option(
    "--capacity",
    type=click.IntRange(min=0),
    metavar="N",
    help="The most agents; default: as before, first 100; 0: agents.max_agents.",
)
@click.option("--detach", is_flag=True, help="Start it, and end; it goes on.")
@options.as_json
def runner(
    token: str | None, config: Path | None, name: str | None, capacity: int | None, detach: bool, as_json: bool
) -> int:
    """Run agents for the daemons of a hub, in directories of their own or where they say, as this user.

    A token is needed once; the key that is made with it stays in ~/.descartes/keys. The supervisor runs it: it comes
    back by itself, its agents survive it, and it goes on when this command is killed. This command tells what it does.
    Ctrl-C lets it take no new agents and ends it when the last one has gone; a second Ctrl-C ends them.
    """
    if token is not None and config is not None:
        raise click.UsageError("give a token or --config, one of them")
    home = find_home()
    wish = Wish(None if token is None else token_word.read(token, "descartes runner"), name, capacity)
    if config is not None:
        told = runner_sessions.configured(config)
        wish = Wish(told.token, name or told.name, told.capacity if capacity is None else capacity)
    with lasting("asking the hub") if wish.token else lasting("starting"):
        found = runner_sessions.have(home, wish)
        started = runner_sessions.start(home, found)
    status = change(started["socket"], "bus.drain", {"is_draining": False})
    if as_json:
        print_json({"session_id": found.session.id, **status})
    else:
        _say_who(found, status)
    return 0 if detach or as_json else _watch(home, found, started["socket"])


def _say_who(runner: Runner, status: dict[str, Any]) -> None:
    labels = f" ({', '.join(runner.bus.labels)})" if runner.bus.labels else ""
    click.echo(
        printable(f"this machine is the runner {runner.bus.name}{labels}, and takes {status['capacity']} agents")
    )
    click.echo(printable(f"it runs programs for every daemon enrolled at the hub {runner.bus.hub}, and nobody else:"))
    click.echo(f"  the hub's key is {runner.bus.hub_key}")
    for peer in status["peers"]:
        click.echo(printable(f"  {peer['title'] or peer['name']} ({peer['name']}), key {peer['key']}"))
    why = f": {status['failure']}" if status["failure"] else ""
    click.echo(printable(f"{status['state'].lower()}{why}"))
    if why:
        say_wrong(printable(f"it goes on trying; {_what_to_do(runner.bus.name)}"))


def _what_to_do(name: str) -> str:
    token = f"descartes hub enroll --role runner --name {shlex.quote(name)}"
    return (
        "look at `descartes hub status` on the hub's machine, and at the way there; where the hub does not know "
        f"this runner any more: {token} there, and descartes runner TOKEN here"
    )


def _watch(home: Home, runner: Runner, socket: str) -> int:
    # A service manager asks with TERM what a person asks with Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    since = int(read(socket, "event.list", {"since": 0, "limit": 1})["last_seq"])
    try:
        for event in follow(home, runner.session.id, since):
            _say(event, socket)
    except KeyboardInterrupt:
        return _drain(home, runner, socket)
    return 0


def _drain(home: Home, runner: Runner, socket: str) -> int:
    try:
        change(socket, "bus.drain", {})
        if living := _living(socket):
            count = f"{living} agent{'s' if living > 1 else ''}"
            click.echo(f"draining: it takes no new agents, and waits for {count}; Ctrl-C again ends them", err=True)
            since = int(read(socket, "event.list", {"since": 0, "limit": 1})["last_seq"])
            if _living(socket):
                for event in follow(home, runner.session.id, since):
                    _say(event, socket)
                    if not _living(socket):
                        break
        sessions.stop(home, sessions.at(home, runner.session.path))
    except KeyboardInterrupt:
        with lasting("ending its agents"):
            ended = sessions.stop(home, sessions.at(home, runner.session.path), force=True)
        click.echo(f"ended, and with it {len(ended)} agents", err=True)
        return 0
    except DaemonUnreachable:
        pass  # stopped by somebody else meanwhile
    click.echo("ended: nothing runs here any more", err=True)
    return 0


def _living(socket: str) -> int:
    return len(read(socket, "agent.list", {})["agents"])


def _say(event: dict[str, Any], socket: str) -> None:
    if (line := line_of(event, socket)) is not None:
        click.echo(printable(line))
