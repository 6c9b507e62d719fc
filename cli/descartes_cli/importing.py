"""Make an agent of a recording."""

from __future__ import annotations

from pathlib import Path

import click

from descartes_cli import options
from descartes_cli.client import change
from descartes_cli.progress import lasting
from descartes_cli.render import amount, print_json, printable, say, say_wrong
from descartes_cli.session_named import around
from descartes_core.ids import new_id
from descartes_local.home import find_home
from descartes_orchestrator import sessions

_EXAMPLES = """\b
Examples:
  descartes import demo.cast                   into the workspace we are in
  descartes import demo.cast -s shop --name demo && descartes replay demo
"""


@click.command("import", epilog=_EXAMPLES)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE.cast")
@click.option("--name", help="Default: the recording's title, else the file's name.")
@options.session
@options.as_json
def import_(file: Path, name: str | None, session: str | None, as_json: bool) -> None:
    """Make an agent of a recording of asciinema's (v1, v2, v3): one that has ended.

    Its output, times and sizes are an agent's like any other's: to be read, replayed, exported and searched. It is
    there whole or not at all. The daemon of an Inactive session is started.
    """
    home = find_home()
    started = sessions.start(home, around(home, session, "-s SESSION"))
    params = {"path": str(file.absolute()), "agent_id": new_id(), **({"name": name} if name else {})}
    with lasting(f"importing {file}"):
        reply = change(str(started["socket"]), "recording.import", params)
    if as_json:
        print_json(reply)
        return
    agent = reply["agent"]
    say(f"{printable(agent['name'])}  {agent['id']}  {reply['events']} events, {amount(agent['output_bytes'])}")
    for kind, count in reply["left_out"].items():
        say_wrong(f"{count} {kind} of it are left out")
