"""Rename sessions, lay them aside, take them up again, and say where they lie."""

from __future__ import annotations

import click

from descartes_cli import options
from descartes_cli.progress import lasting
from descartes_cli.render import printable
from descartes_cli.session_named import find_session
from descartes_cli.sessions_show import print_changed
from descartes_local.home import find_home
from descartes_orchestrator import sessions

_session = click.argument("session", shell_complete=options.complete_sessions)

_RENAME = """\b
Examples:
  descartes sessions rename shop storefront
  descartes sessions rename . "the shop, rewritten"
"""


@click.command("rename", epilog=_RENAME)
@_session
@click.argument("name")
@options.as_json
def rename(session: str, name: str, as_json: bool) -> None:
    """Give a session another name. Its id, its path and what runs in it stay as they are."""
    home = find_home()
    found = find_session(home, session)
    with lasting(f"renaming {printable(found.name)}"):
        renamed = sessions.rename(home, found, name)
    print_changed(home, renamed, renamed.id, as_json)


_ARCHIVE = """\b
Examples:
  descartes sessions archive shop
  descartes sessions archive --force shop     # ends its agents first
  descartes sessions list --status archived
"""


@click.command("archive", epilog=_ARCHIVE)
@_session
@click.option("--force", is_flag=True, help="End its agents first; without, it is refused while agents live.")
@options.as_json
def archive(session: str, force: bool, as_json: bool) -> None:
    """Stop a session and lay it aside: it leaves the list, and nothing starts it until it is unarchived.

    Its files and its history stay where they are.
    """
    home = find_home()
    found = find_session(home, session)
    with lasting(f"archiving {printable(found.name)}"):
        archived, ended = sessions.archive(home, found, force=force)
    print_changed(home, archived, archived.status, as_json, ended=ended)


_UNARCHIVE = """\b
Examples:
  descartes sessions unarchive shop
  descartes sessions unarchive shop && descartes sessions use shop
"""


@click.command("unarchive", epilog=_UNARCHIVE)
@_session
@options.as_json
def unarchive(session: str, as_json: bool) -> None:
    """Take up a session that was archived; it starts nothing."""
    home = find_home()
    found = sessions.unarchive(home, find_session(home, session))
    print_changed(home, found, found.status, as_json)


_RELOCATE = """\b
Examples:
  mv ~/projects/shop /srv/shop && descartes sessions relocate shop /srv/shop
  descartes sessions relocate 5d3e1c9a ~/elsewhere/shop
"""


@click.command("relocate", epilog=_RELOCATE)
@_session
@click.argument("path", metavar="NEWPATH", type=click.Path(readable=False))
@options.as_json
def relocate(session: str, path: str, as_json: bool) -> None:
    """Say where the workspace of a session was moved to; its id and its history go with it.

    The workspace there must bear the session's id, and its daemon must not run. What was moved within the search paths
    `sessions list` finds by itself, and so does every verb that is given the new path once.
    """
    home = find_home()
    found = sessions.relocate(home, find_session(home, session), path)
    print_changed(home, found, printable(str(found.path)), as_json)


_ADOPT = """\b
Examples:
  cp -r ~/projects/shop ~/projects/shop-2 && descartes sessions adopt ~/projects/shop-2
"""


@click.command("adopt", epilog=_ADOPT)
@click.argument("path", type=click.Path(readable=False))
@options.as_json
def adopt(path: str, as_json: bool) -> None:
    """Give the copy of a workspace, which bears its original's id, an id of its own.

    Until then neither of the two is started. The copy keeps its name and its files; the history stays where it is.
    """
    home = find_home()
    adopted = sessions.adopt(home, path)
    print_changed(home, adopted, adopted.id, as_json)
