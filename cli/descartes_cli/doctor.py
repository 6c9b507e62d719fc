"""Look for what is wrong, and say what to type."""

from __future__ import annotations

import os
from collections.abc import Iterator

import click

from descartes_cli import options
from descartes_cli.doctor_bus import look_at_bus
from descartes_cli.doctor_fleet import look_at_fleet
from descartes_cli.doctor_machine import look_at_machine
from descartes_cli.doctor_sessions import look_at_sessions
from descartes_cli.progress import lasting
from descartes_cli.remark import Remark, wrong
from descartes_cli.render import print_json, printable
from descartes_core.errors import DescartesError
from descartes_local.home import find_home

_MARKS = {"ok": "ok     ", "warning": "warning", "error": "ERROR  "}
_COLOURS = {"ok": "green", "warning": "yellow", "error": "red"}
_LOOKS = {"machine": look_at_machine, "workspaces": look_at_sessions, "daemons": look_at_fleet, "bus": look_at_bus}
_EXAMPLES = """\b
Examples:
  descartes doctor
  descartes doctor --json | jq '.remarks[] | select(.level != "ok")'
"""


@click.command("doctor", epilog=_EXAMPLES)
@options.as_json
def doctor(as_json: bool) -> int:
    """Look at the machine, the home, the supervisor, every daemon and workspace; end with 1 where something is wrong.

    It changes nothing and starts nothing. What is not well comes with what to type.
    """
    home = find_home()
    with lasting("looking"):
        remarks = [remark for name, look in _LOOKS.items() for remark in _as_far_as_may_be(name, look(home))]
    counts = {level: sum(remark.level == level for remark in remarks) for level in _MARKS}
    if as_json:
        print_json({"remarks": [remark.as_json() for remark in remarks], "counts": counts})
    else:
        for remark in remarks:
            _print(remark)
        click.echo(f"errors: {counts['error']}, warnings: {counts['warning']}")
    return 1 if counts["error"] else 0


def _as_far_as_may_be(about: str, found: Iterator[Remark]) -> Iterator[Remark]:
    """Walk over what is found; what cannot be looked at is an error too, and the end of no other look."""
    try:
        yield from found
    except (DescartesError, OSError) as error:
        yield wrong(about, f"cannot be looked at: {error}", "mend that, and ask again")


def _print(remark: Remark) -> None:
    plain = os.environ.get("NO_COLOR")
    mark = _MARKS[remark.level] if plain else click.style(_MARKS[remark.level], fg=_COLOURS[remark.level])
    click.echo(f"{mark}  {printable(remark.about)}: {printable(remark.text)}")
    if remark.do:
        click.echo(f"         → {printable(remark.do)}")
