"""Take in what the original Descartes has stored."""

from __future__ import annotations

import os

import click

from descartes_cli import options
from descartes_cli.client import change
from descartes_cli.progress import lasting
from descartes_cli.render import print_json, printable, say, say_wrong
from descartes_cli.session_named import around
from descartes_local.home import find_home
from descartes_orchestrator import sessions

_EXAMPLES = """\b
Examples:
  descartes state import-original ~/.descartes/data/descartes.db
  descartes state import-original old.db -s shop --json
"""


@click.command("import-original", epilog=_EXAMPLES)
@click.argument("file", type=click.Path(dir_okay=False))
@options.session
@options.as_json
def import_original(file: str, session: str | None, as_json: bool) -> None:
    """Take in a database of the original Descartes, of either of its two schemas; it is only read.

    Tasks become the session's own tasks, events its events, and what agents were like the history of their keys
    `status`, `state` and `agent`. All of it is taken in, or nothing, and once.
    """
    home = find_home()
    found = around(home, session, "-s SESSION")
    path = os.path.abspath(os.path.expanduser(file))
    socket = sessions.start(home, found)["socket"]
    with lasting(f"taking in {printable(path)}"):
        reply = change(socket, "state.import", {"path": path})
    if as_json:
        print_json(reply)
        return
    counts = ", ".join(f"{reply[key]} {key}" for key in ("tasks", "events", "changes", "agents"))
    say(f"{printable(found.name)}  {counts}")
    if reply["left"]:
        say_wrong(f"of these tables nothing was made: {printable(', '.join(reply['left']))}")
