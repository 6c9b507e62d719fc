"""Create, start, stop and choose sessions."""

from __future__ import annotations

import click

from descartes_cli import options
from descartes_cli.progress import lasting
from descartes_cli.render import print_json, printable, say_wrong
from descartes_cli.session_named import find_session
from descartes_cli.sessions_show import as_object, print_changed, print_notes
from descartes_cli.stored import stored_agents
from descartes_local.home import find_home
from descartes_orchestrator import sessions

_CREATE = """\b
Examples:
  descartes sessions create ~/projects/shop
  descartes sessions create --name "the shop" .
"""


@click.command("create", epilog=_CREATE)
@click.argument("directory", default=".", type=click.Path(readable=False))
@click.option("--name", help="Default: the directory's name.")
@options.as_json
def create(directory: str, name: str | None, as_json: bool) -> None:
    """Make a directory a workspace; what is there already stays. Default: the current directory."""
    home = find_home()
    created = sessions.create(home, directory, name)
    print_changed(home, created, created.id, as_json)
    if not as_json:
        click.echo(f"descartes spawn {printable(str(created.path))} -- COMMAND starts an agent in it", err=True)


_START = """\b
Examples:
  descartes sessions start shop
  descartes sessions start ~/projects/shop --json
"""


@click.command("start", epilog=_START)
@click.argument("session", default=".", shell_complete=options.complete_sessions)
@options.as_json
def start(session: str, as_json: bool) -> None:
    """Start a session's daemon, also after it was given up. Default: the session around the current directory."""
    home = find_home()
    found = find_session(home, session)
    with lasting(f"starting {printable(found.name)}"):
        started = sessions.start(home, found)
    print_changed(home, found, f"Active  {started['http_endpoint']}", as_json, answer=started)


_STOP = """\b
Examples:
  descartes sessions stop shop
  descartes sessions stop --force --grace 2 shop   # its agents are ended first
"""


@click.command("stop", epilog=_STOP)
@click.argument("session", default=".", shell_complete=options.complete_sessions)
@click.option("--force", is_flag=True, help="End its agents first; without, it is refused while agents live.")
@click.option("--grace", type=options.Seconds(0, 3600), metavar="SECONDS", help="Instead of each agent's own.")
@options.as_json
def stop(session: str, force: bool, grace: float | None, as_json: bool) -> None:
    """End a session's daemon. Default: the session around the current directory."""
    home = find_home()
    found = find_session(home, session)
    with lasting(f"stopping {printable(found.name)}"):
        ended = sessions.stop(home, found, force=force, grace=grace)
    answer = {"id": found.id, "status": "Inactive"}
    print_changed(home, found, "Inactive", as_json, answer=answer, ended=ended)
    if force:
        for agent in stored_agents(home, found.id, ended=False):
            say_wrong(
                f"{printable(agent['name'])} on {printable(agent['host'])} could not be reached: it is ended when that "
                f"is back, and {printable(found.name)} started"
            )


_USE = """\b
Examples:
  descartes sessions use shop
  descartes sessions use --no-start ~/projects/shop
"""


@click.command("use", epilog=_USE)
@click.argument("session", default=".", shell_complete=options.complete_sessions)
@click.option("--no-start", is_flag=True, help="Only choose it; its daemon starts when it is needed.")
@options.as_json
def use(session: str, no_start: bool, as_json: bool) -> None:
    """Make a session the active one: where `spawn` goes that names none and stands in none. Its daemon is started."""
    home = find_home()
    found = find_session(home, session)
    if not no_start:
        with lasting(f"starting {printable(found.name)}"):
            sessions.start(home, found)
    note = sessions.use(home, found)
    if as_json:
        print_json(as_object(home, sessions.at(home, found.path)))
    else:
        click.echo(f"{printable(found.name)} is the active session")
        print_notes([note] if note else [])
