"""Look at the supervisor, or renew it."""

from __future__ import annotations

import sys
from typing import Any

import click

from descartes_cli import options
from descartes_cli.progress import lasting
from descartes_cli.render import print_json, printable
from descartes_core.errors import DaemonUnreachable, MethodNotFound, RenewalFailed, SupervisorUnreachable
from descartes_local import supervisor_client
from descartes_local.code_stamp import code_stamp
from descartes_local.home import Home, find_home

#: The rehearsal and what is under way have deadlines of their own, of 30 s together unless configured.
_LONGEST = 120.0
_NONE = "no supervisor is running; the next command that needs one starts it"

_STATUS = """\b
Examples:
  descartes supervisor status
  descartes supervisor status --json | jq .kept
"""


@click.command("status", epilog=_STATUS)
@options.as_json
def status(as_json: bool) -> None:
    """Tell whether a supervisor runs, what it keeps, and whether newer code is installed. It starts none."""
    connection = supervisor_client.connect(find_home())
    if connection is None:
        if as_json:
            print_json({"running": False})
        else:
            click.echo(_NONE)
        return
    with connection:
        told = {"running": True, **connection.call("status")}
    told["is_current"] = told.get("stamp") == code_stamp()
    if as_json:
        print_json(told)
    else:
        _print_status(told)


def _print_status(told: dict[str, Any]) -> None:
    for key, value in told.items():
        click.echo(f"{key:<18} {_text(value)}")
    if not told["is_current"]:
        click.echo("it runs other code than is installed: descartes supervisor upgrade", err=True)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(each)}" for name, each in value.items() if each is not None) or "none"
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else printable(str(value))


_UPGRADE = """\b
Examples:
  pip install --upgrade descartes-orchestrator && descartes supervisor upgrade
"""


@click.command("upgrade", epilog=_UPGRADE)
@options.as_json
def upgrade(as_json: bool) -> None:
    """Let the supervisor go on with the code of this command, in the same process.

    Daemons, agents and everybody connected stay as they are. The new code shows first that it can go on with
    everything; where it cannot, the supervisor goes on as it was, and this command tells why.
    """
    with lasting("renewing the supervisor"):
        told = renew(find_home())
    if as_json:
        print_json({"running": told is not None, **(told or {})})
    elif told is None:
        click.echo(_NONE)
    else:
        print_renewed(told)


def renew(home: Home, *, unless: str | None = None) -> dict[str, Any] | None:
    """Renew the supervisor, unless it runs this state of the code; return what it tells, None where none runs.

    Raises:
        RenewalFailed: it goes on as it was.
        SupervisorUnreachable: it does not answer, or ended meanwhile.

    """
    connection = supervisor_client.connect(home)
    if connection is None:
        return None
    with connection:
        try:
            if unless is not None and (status := connection.call("status")).get("stamp") == unless:
                return {"pid": status["pid"]}
            told: dict[str, Any] = connection.call("upgrade", {"python": sys.executable}, timeout=_LONGEST)
        except MethodNotFound:
            raise RenewalFailed(
                "this supervisor is too old to renew itself: descartes supervisor stop, "
                "and the next command starts a new one"
            ) from None
        except DaemonUnreachable as error:
            raise SupervisorUnreachable(
                f"the supervisor ended while it renewed itself ({error.message}): look at "
                f"{home.log / 'supervisor.log'}; daemons and agents go on, and the next command starts a new one"
            ) from error
    return told


def print_renewed(told: dict[str, Any]) -> None:
    """Print what became of the supervisor."""
    before, after = (f"{told[end]['version']} ({told[end]['stamp']})" for end in ("from", "to"))
    way = f"runs {after} anew" if before == after else f"went from {before} to {after}"
    click.echo(f"the supervisor (pid {told['pid']}) {way}")
    click.echo(f"{_count(told['sessions'], 'session')} and {_count(told['kept'], 'kept agent')} stayed as they were")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
