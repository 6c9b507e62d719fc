"""Take sessions elsewhere in one file, and make sessions of such files."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

from descartes_cli import options
from descartes_cli.client import change
from descartes_cli.progress import lasting
from descartes_cli.render import amount, print_json, printable, say, say_wrong
from descartes_cli.session_named import find_session
from descartes_cli.sessions_show import as_object, print_notes
from descartes_cli.waking import awake
from descartes_local.home import find_home
from descartes_orchestrator.importing import import_session

_EXPORT = """\b
Examples:
  descartes sessions export shop shop.tar
  descartes sessions export . --force ~/backups/shop.tar
"""


@click.command("export", epilog=_EXPORT)
@click.argument("session", shell_complete=options.complete_sessions)
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@options.as_json
def export(session: str, file: str, force: bool, as_json: bool) -> None:
    """Write a session into one file: every row, all that its agents said, its name and id. Agents go on meanwhile.

    Left out are the workspace's own files, the configuration, hooks, and the search index. The file is there whole or
    not at all. It is a tar file; `descartes sessions import` makes a session of it. An Inactive session's daemon is
    started for this, and stopped again.
    """
    home = find_home()
    found = find_session(home, session)
    path = os.path.abspath(os.path.expanduser(file))
    with lasting(f"exporting {printable(found.name)}"), awake(home, found) as socket:
        reply = change(socket, "session.export", {"path": path, "replace": force})
    if as_json:
        print_json(reply)
    else:
        say(f"{printable(reply['path'])}  {amount(reply['bytes'])}  agents: {reply['agents']}")


_IMPORT = """\b
Examples:
  descartes sessions import shop.tar
  descartes sessions import shop.tar --path ~/projects/shop
"""


@click.command("import", epilog=_IMPORT)
@click.argument("file", type=click.Path(dir_okay=False, readable=False))
@click.option("--path", type=click.Path(file_okay=False), help="Its workspace. Default: a directory here of its name.")
@options.as_json
def import_(file: str, path: str | None, as_json: bool) -> None:
    """Make a session of an exported one; nothing is made unless all of the file is as it was written.

    The id stays, unless a session here has it: then there is a new one, which is told. Agents that lived when it was
    exported do not live here: they are lost, and failed, and their history says so. No daemon is started.
    """
    home = find_home()
    place = Path(os.path.expanduser(path)) if path else None
    imported = import_session(home, Path(os.path.expanduser(file)), place, _progress())
    session = imported.session
    if as_json:
        about = {"was": imported.was, "agents": imported.agents, "lost": [one["id"] for one in imported.lost]}
        print_json({**as_object(home, session), **about})
        return
    say(f"{printable(session.name)}  {session.id}  {printable(str(session.path))}  agents: {imported.agents}")
    if imported.was is not None:
        say_wrong(f"a session here has the id {imported.was} already: this one is {session.id}")
    if imported.lost:
        names = ", ".join(printable(one["name"]) for one in imported.lost[:5])
        more = f" and {len(imported.lost) - 5} more" if len(imported.lost) > 5 else ""
        say_wrong(f"lived when it was exported, and failed here: {names}{more}")
    print_notes(list(session.notes))


def _progress() -> Callable[[int, int], None]:
    """Return what tells, on a terminal and from the first second on, how far it is."""
    began = told = time.monotonic()

    def tell(done: int, size: int) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= 1.0 and now - began >= 1.0 and sys.stderr.isatty():
            told = now
            end = "\n" if done >= size else ""
            click.echo(f"\rreading {amount(done)} of {amount(size)}\x1b[K{end}", nl=False, err=True)

    return tell
