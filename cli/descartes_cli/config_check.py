"""Tell all that is wrong in a configuration file."""

from __future__ import annotations

from pathlib import Path

import click

from descartes_cli import options
from descartes_cli.render import print_json, printable, say_wrong
from descartes_cli.sessions_show import print_notes
from descartes_core.errors import ConfigInvalid
from descartes_local.config import examine_layers
from descartes_local.config_files import read_layers
from descartes_local.config_workspace import lies_in
from descartes_local.home import Home, find_home
from descartes_orchestrator.discovery import has_config

_EXAMPLES = """\b
Examples:
  descartes config check ~/.descartes/config.toml
  descartes config check .scud/descartes.toml --json
"""


@click.command("check", epilog=_EXAMPLES)
@click.argument("file", type=click.Path(path_type=Path))
@options.as_json
def check(file: Path, as_json: bool) -> int:
    """Tell all that is wrong in FILE, one line each; exit code 2 when there is anything.

    A file that a workspace would be configured by (.scud/descartes.toml, or a config.toml that makes its directory a
    workspace) is checked as such: it may set little. A file called daemon.toml may use the words of the programs that
    Descartes comes from. The environment is left aside.
    """
    home = find_home()
    path = file.absolute()
    workspace = _workspace_of(path, home)
    try:
        (layer,) = read_layers([path], needed=path)
        found = examine_layers([layer], {path} if workspace else set(), with_environment=False)
        wrong, notes = list(found.complaints), found.notes
    except ConfigInvalid as error:
        wrong, notes = [error.message], []
    if as_json:
        told = {"path": str(path), "workspace": str(workspace) if workspace else None}
        print_json({**told, "complaints": wrong, "notes": notes})
        return ConfigInvalid.exit if wrong else 0
    for complaint in wrong:
        say_wrong(complaint)
    print_notes(notes)
    if not wrong:
        click.echo(f"{printable(str(path))}: nothing is wrong")
    return ConfigInvalid.exit if wrong else 0


def _workspace_of(path: Path, home: Home) -> Path | None:
    """Return the workspace that this file would configure."""
    if path.name == "descartes.toml" and path.parent.name == ".scud":
        return path.parent.parent
    is_ours = path.name == "config.toml" and has_config(str(path.parent)) and path.parent != home.path
    is_a_sessions = path.parent.parent == home.path / "sessions"
    return path.parent if is_ours and not is_a_sessions and lies_in(path, path.parent, home) else None
