"""Count what daemons have and do."""

from __future__ import annotations

from typing import Any

import click

from descartes_cli import options
from descartes_cli.asking import Question, ask_all
from descartes_cli.render import print_json, printable, say_wrong
from descartes_cli.session_named import find_session
from descartes_core.errors import DescartesError
from descartes_local.home import find_home
from descartes_local.run_file import read_run_files

_EXAMPLES = """\b
Examples:
  descartes system stats
  descartes system stats -s shop --json | jq '.[].memory_bytes'
"""


@click.command("stats", epilog=_EXAMPLES)
@options.session
@options.as_json
def stats(session: str | None, as_json: bool) -> None:
    """Print the counters of every daemon that is up: agents, bytes, requests, connections. It starts nothing.

    docs/http.md has the same numbers under system.stats; GET /metrics gives them to Prometheus.
    """
    home = find_home()
    only = find_session(home, session).id if session else None
    runs = {run.session_id: run for run in read_run_files(home) if only in (None, run.session_id)}
    answers = ask_all({key: Question(run.socket, "system.stats", {}) for key, run in runs.items()})
    told: list[dict[str, Any]] = []
    for key, run in runs.items():
        if isinstance(answers[key], DescartesError):
            say_wrong(f"{run.name}: {answers[key].message}")
        else:
            told.append({"session_id": key, "session": run.name, **answers[key]})
    if as_json:
        print_json(told)
    elif not runs:
        say_wrong("no daemon is up; descartes sessions start starts one")
    else:
        for counters in told:
            _print(counters)


def _print(counters: dict[str, Any]) -> None:
    click.echo(printable(counters["session"]))
    for key, value in counters.items():
        if key != "session":
            click.echo(f"  {key:<20} {_written(value)}")


def _written(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{printable(str(name))} {_written(part)}" for name, part in value.items()) or "-"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else printable(str(value))
