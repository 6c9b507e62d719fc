"""What killed imports and exports left on the disk."""

from __future__ import annotations

from collections.abc import Iterator

from descartes_cli.remark import Remark, warning
from descartes_cli.render import amount, printable, say
from descartes_local.disk_use import taken_by
from descartes_local.home import Home
from descartes_orchestrator.identity import Session
from descartes_orchestrator.import_leftovers import leftovers, sweep


def look_at_imports(home: Home) -> Iterator[Remark]:
    """Name what no session was made of; nothing is changed."""
    for directory in leftovers(home):
        text = f"{directory} was left by an import that was killed: {amount(taken_by(directory))}"
        yield warning("imports", text, "cd / && descartes gc removes it; so does the next import")


def look_at_exports(home: Home, session: Session) -> Iterator[Remark]:
    """Name what a daemon that was killed left of an export."""
    for directory in home.session(session.id).glob(".export-*"):
        text = f"{directory} was left by an export that was killed: {amount(taken_by(directory))}"
        yield warning(f"session {session.name}", text, "it goes when the session is started")


def remove_imports(home: Home, *, dry_run: bool, quiet: bool) -> list[str]:
    """Remove what no session was made of, and say what that is; nobody is asked, as it is nobody's."""
    found = leftovers(home)
    for directory in found if not quiet else ():
        say(f"left by a killed import: {printable(str(directory))}, {amount(taken_by(directory))}")
    if not dry_run:
        sweep(home)
    return [str(directory) for directory in found]
