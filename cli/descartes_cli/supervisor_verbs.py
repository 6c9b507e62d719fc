"""Look at the supervisor, or end it."""

from __future__ import annotations

import click

from descartes_cli import options
from descartes_cli.render import print_json
from descartes_core.errors import DeadlineOver
from descartes_local import supervisor_client
from descartes_local.home import find_home
from descartes_local.processes import process_of, wait_for_end


@click.command("status", epilog="\b\nExamples:\n  descartes supervisor status --json\n")
@options.as_json
def status(as_json: bool) -> None:
    """Tell whether a supervisor runs, and what it keeps. It starts none."""
    connection = supervisor_client.connect(find_home())
    if connection is None:
        if as_json:
            print_json({"running": False})
        else:
            click.echo("no supervisor is running; the next command that needs one starts it")
        return
    with connection:
        told = {"running": True, **connection.call("status")}
    if as_json:
        print_json(told)
    else:
        for key, value in told.items():
            click.echo(f"{key:<18}{', '.join(value) if isinstance(value, list) else value}")


@click.command("stop", epilog="\b\nExamples:\n  descartes sessions stop shop --force && descartes supervisor stop\n")
@options.as_json
def stop(as_json: bool) -> None:
    """End the supervisor; refused while a session is not Inactive. It also ends by itself, 10 s after the last one."""
    connection = supervisor_client.connect(find_home())
    if connection is not None:
        with connection:
            process = process_of(connection.call("ping")["pid"])
            connection.call("shutdown")
        if process is not None and not wait_for_end(process, supervisor_client.PATIENCE):
            raise DeadlineOver(f"the supervisor (pid {process.pid}) was asked to end, and does not")
    if as_json:
        print_json({"running": False})
    else:
        click.echo("the supervisor has ended" if connection else "no supervisor is running")
