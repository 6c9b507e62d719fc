"""Replace daemons by ones of the installed code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import click

from descartes_cli import options
from descartes_cli.progress import lasting
from descartes_cli.render import print_json, printable, say_wrong
from descartes_cli.session_named import find_session
from descartes_core.errors import DaemonStartFailed, DescartesError
from descartes_local.home import Home, find_home
from descartes_local.run_file import RunFile, read_run_files
from descartes_orchestrator import replacing
from descartes_orchestrator.identity import Session

_EXAMPLES = """\b
Examples:
  descartes sessions restart shop
  descartes sessions restart --all --json
"""


@click.command("restart", epilog=_EXAMPLES)
@click.argument("names", nargs=-1, metavar="[SESSION…]", shell_complete=options.complete_sessions)
@click.option("--all", "everything", is_flag=True, help="Every session whose daemon runs.")
@options.as_json
@click.pass_context
def restart(context: click.Context, names: tuple[str, ...], everything: bool, as_json: bool) -> int:
    """Replace a session's daemon by a new one, of the code that is installed now, while its agents go on.

    What was asked of it is answered first; whoever comes meanwhile waits and is served by the next one. Where a daemon
    of the installed code does not begin, one of the code before goes on, and the exit code is 4. Default: the session
    around the current directory.
    """
    if everything and names:
        raise click.UsageError("--all is every session: name none", context)
    home = find_home()
    wanted = [run.session_id for run in kept_runs(home)] if everything else list(names or ["."])
    return restart_each(home, wanted, as_json=as_json)


def kept_runs(home: Home) -> list[RunFile]:
    """Return the daemons that run and have a supervisor."""
    return [run for run in read_run_files(home) if run.is_alive and run.keeper]


def restart_each(home: Home, names: Iterable[str], *, as_json: bool) -> int:
    """Replace one after the other, and tell of each; return the exit code."""
    told, failed = replace_each(home, names, quiet=as_json)
    if as_json:
        print_json({"restarted": told, "failed": [failure_object(name, error) for name, error in failed]})
    return exit_code(told, failed)


def replace_each(
    home: Home, names: Iterable[str], *, quiet: bool
) -> tuple[list[dict[str, Any]], list[tuple[str, DescartesError]]]:
    """Replace one after the other, going on after a failure; return what came of those that were, and the failures."""
    told: list[dict[str, Any]] = []
    failed: list[tuple[str, DescartesError]] = []
    for name in names:
        try:
            told.append(_replace(home, find_session(home, name)))
        except DescartesError as error:
            failed.append((name, error))
            say_wrong(f"{name}: {error.message}" if not quiet else error.message)
        else:
            if not quiet:
                click.echo(_line(told[-1]))
            if told[-1]["fell_back"]:
                say_wrong(f"{told[-1]['name']} goes on with the code before: {told[-1]['fell_back']}")
    return told, failed


def exit_code(told: Iterable[dict[str, Any]], failed: Sequence[tuple[str, DescartesError]]) -> int:
    """Return that of the first that failed; else that of a failed start, if older code had to go on; else 0."""
    if failed:
        return failed[0][1].exit
    return DaemonStartFailed.exit if any(one["fell_back"] for one in told) else 0


def failure_object(name: str, error: DescartesError) -> dict[str, str]:
    """Return a failure as programs read it."""
    return {"session": name, "code": error.code, "message": error.message}


def _replace(home: Home, session: Session) -> dict[str, Any]:
    with lasting(f"restarting {printable(session.name)}"):
        return replacing.restart(home, session)


def _line(told: dict[str, Any]) -> str:
    was, now = told["was"], told["now"]
    before, after = (end["stamp"] or end["version"] for end in (was, now))
    code = f"code {after}" if before == after else f"code {before} -> {after}"
    return f"{printable(told['name'])}  pid {was['pid']} -> {now['pid']}  {code}"
