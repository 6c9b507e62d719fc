"""After a package upgrade: let the supervisor and all daemons go on with the installed code."""

from __future__ import annotations

from typing import Any

import click

from descartes_cli import options
from descartes_cli.progress import lasting
from descartes_cli.render import print_json, say_wrong
from descartes_cli.sessions_restart import exit_code, failure_object, kept_runs, replace_each
from descartes_cli.supervisor_verbs import print_renewed, renew
from descartes_core.errors import Conflict, DescartesError
from descartes_core.ids import HUB_ID
from descartes_local import supervisor_client
from descartes_local.code_stamp import code_stamp
from descartes_local.home import Home, find_home
from descartes_orchestrator.hub_client import ask

_EXAMPLES = """\b
Examples:
  pip install --upgrade descartes-orchestrator && descartes upgrade
  descartes upgrade --force --json
"""


@click.command("upgrade", epilog=_EXAMPLES)
@click.option("--force", is_flag=True, help="Replace also what runs the installed code already.")
@options.as_json
def upgrade(force: bool, as_json: bool) -> int:
    """Let the supervisor, then each daemon, go on with the code that is installed now; agents go on meanwhile.

    One daemon after the other. What runs that code already is left alone. Where one cannot be replaced, or
    only by the code before, the others still are, and the exit code tells.
    """
    home, installed = find_home(), code_stamp()
    failed: list[tuple[str, DescartesError]] = []
    renewed: dict[str, Any] | None = None
    try:
        with lasting("renewing the supervisor"):
            renewed = renew(home, unless=None if force else installed)
    except DescartesError as error:
        failed.append(("", error))
        say_wrong(error.message)
    runs = kept_runs(home)
    stale = [run for run in runs if force or run.stamp != installed]
    current = [run for run in runs if run not in stale]
    if not as_json:
        _tell(renewed, current=[run.name for run in current], is_told=bool(failed))
    told, more = replace_each(home, [run.session_id for run in stale], quiet=as_json)
    failed += more
    hub, trouble = _upgrade_hub(home, installed, force=force)
    if trouble is not None:
        failed.append(("hub", trouble))
        say_wrong(trouble.message)
    elif hub is not None and not as_json:
        click.echo(f"hub  runs the installed code now (pid {hub})")
    if as_json:
        supervisor = {"running": renewed is not None or bool(failed), **(renewed or {})}
        failures = [failure_object(name, error) for name, error in failed]
        print_json(
            {
                "installed": installed,
                "supervisor": supervisor,
                "restarted": told,
                "current": [run.session_id for run in current],
                "hub": hub,
                "failed": failures,
            }
        )
    return exit_code(told, failed)


def _upgrade_hub(home: Home, installed: str, *, force: bool) -> tuple[int | None, DescartesError | None]:
    """Let the next hub take the place of one that runs other code; who is connected finds that one."""
    if not home.daemon_socket(HUB_ID).exists():
        return None, None
    try:
        if not force and ask(home, "hub.status")["stamp"] == installed:
            return None, None
        with supervisor_client.ensure(home) as supervisor:
            told = supervisor.call("restart", {"id": HUB_ID})
    except Conflict:
        return None, Conflict("the hub was not started by the supervisor: restart it where it was")
    except DescartesError as error:
        return None, error
    return int(told["pid"]), None


def _tell(renewed: dict[str, Any] | None, *, current: list[str], is_told: bool) -> None:
    if renewed is not None and "from" in renewed:
        print_renewed(renewed)
    elif renewed is not None:
        click.echo(f"the supervisor (pid {renewed['pid']}) runs the installed code already")
    elif not is_told:
        click.echo("no supervisor is running; the next command that needs one starts it")
    for name in current:
        click.echo(f"{name}  runs the installed code already")
