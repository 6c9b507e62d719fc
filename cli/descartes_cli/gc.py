"""Remove old output and old events, and end what was left."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from descartes_cli import options
from descartes_cli.client import change
from descartes_cli.consent import ask_consent
from descartes_cli.progress import lasting
from descartes_cli.render import amount, print_json, print_table, printable, say, say_wrong
from descartes_cli.session_named import find_session
from descartes_cli.strays import end_after_asking
from descartes_cli.transfer_left import remove_imports
from descartes_cli.waking import awake
from descartes_core.errors import DescartesError, NoWorkspace
from descartes_core.ids import short
from descartes_core.session_life import State
from descartes_local.home import Home, find_home
from descartes_orchestrator import sessions

_EXAMPLES = """\b
Examples:
  descartes gc --dry-run                   what would go, and how much it is
  descartes gc shop --older-than 7d --yes
  descartes gc --compress-older-than 1d    compress what stays; it is read as before
  cd / && descartes gc --yes               in all sessions, as a cron job would
"""
_DAYS = {"h": 1 / 24, "d": 1.0, "w": 7.0}


def _age(_context: click.Context, _parameter: click.Parameter, text: str | None) -> float | None:
    """Return an age in days."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([hdw]?)", text)
    days = float(found[1]) * _DAYS[found[2] or "d"] if found else -1.0
    if not 0 <= days <= 36_500:
        raise click.BadParameter(f"{text!r} is no age like 12h, 30d or 8w")
    return days


@dataclass(frozen=True, slots=True)
class _Part:
    """What one session has to remove, or has removed: the reply of session.collect."""

    session: sessions.Session
    reply: dict[str, Any]

    @property
    def is_nothing(self) -> bool:
        """Whether that is nothing at all."""
        return not (self.removes or self.reply["compressed"])

    @property
    def removes(self) -> bool:
        """Whether anything goes for ever."""
        return bool(self.reply["agents"] or self.reply["events"])

    def as_object(self) -> dict[str, Any]:
        """Return it as --json prints it."""
        return {
            "session_id": self.session.id,
            "name": self.session.name,
            "path": str(self.session.path),
            **self.reply,
        }


@click.command("gc", epilog=_EXAMPLES)
@click.argument("workspace", required=False, shell_complete=options.complete_sessions)
@click.option(
    "--older-than", "output_age", callback=_age, metavar="AGE", help="Output of agents that ended so long ago."
)
@click.option(
    "--compress-older-than",
    "cold_age",
    callback=_age,
    metavar="AGE",
    help="Compress output of agents that ended so long ago.",
)
@click.option("--events-older-than", "event_age", callback=_age, metavar="AGE", help="Events so old.")
@click.option("--dry-run", is_flag=True, help="Only tell.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@options.as_json
def gc(
    workspace: str | None,
    output_age: float | None,
    cold_age: float | None,
    event_age: float | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Remove what agents said that ended long ago, and old events; first it tells what and how much, and asks.

    What agents left running in sessions that nobody serves is told and asked for first, and ended. Outside of any
    workspace what killed imports left is told and removed, too.

    What stays and is old enough (output.compress_after_days) is compressed: it is read as before.

    That they ran, how, and how they ended stays known. Without an age the configured one holds (retention.output_days,
    retention.event_days). Nothing is removed of agents that live or left something running, nor while it is read.

    WORKSPACE is a session's id, prefix, name or path; default: that around the current directory; outside of any
    workspace all sessions. The daemon of an Inactive session is started for this, and stopped again.
    """
    home = find_home()
    errors: dict[str, DescartesError] = {}
    ages = {"older_than": output_age, "compress_older_than": cold_age, "events_older_than": event_age}
    asked = {key: value for key, value in ages.items() if value is not None}
    meant, is_all = _meant(home, workspace)
    wanted = None if is_all else {session.id for session in meant}
    left = end_after_asking(home, wanted, dry_run=dry_run, yes=yes, quiet=as_json)
    remains = remove_imports(home, dry_run=dry_run, quiet=as_json) if is_all else []
    if dry_run:  # the daemon that would be started would take care of them
        meant = [session for session in meant if session.id not in {one["session_id"] for one in left}]
    parts = list(_collect(home, meant, {**asked, "dry_run": True}, errors))
    if not as_json:
        _show(parts)
    todo = [part.session for part in parts if not part.is_nothing]
    if todo and not dry_run:
        if not yes and any(part.removes for part in parts):
            _ask(parts)
        parts = list(_collect(home, todo, asked, errors))
        _tell_kept(parts)
        if not as_json:
            _tell_done(parts)
    elif as_json:
        _tell_kept(parts)
    if as_json:
        print_json(
            {
                "sessions": [part.as_object() for part in parts],
                "bytes": _sum(parts, "bytes"),
                "events": _sum(parts, "events"),
                "left_running": left,
                "left_by_imports": remains,
                "errors": {path: error.message for path, error in errors.items()},
            }
        )
    return next((error.exit for error in errors.values()), 0)


def _meant(home: Home, workspace: str | None) -> tuple[list[sessions.Session], bool]:
    """Return the session that is named, else that around here; else all that have something. Say whether it is all."""
    if workspace:
        return [find_session(home, workspace)], False
    try:
        return [sessions.at(home, Path.cwd())], False
    except (NoWorkspace, FileNotFoundError):
        known = [one for one in sessions.known(home) if (home.session(one.id) / "state.db").exists()]
    there = [one for one in known if one.status is not State.ARCHIVED and (one.run or one.path.is_dir())]
    for one in known:
        if one not in there:
            why = "it is archived" if one.status is State.ARCHIVED else f"{one.path} is not there any more"
            say_wrong(f"kept: all of {one.name}: {why}")
    return there, True


def _collect(
    home: Home, meant: list[sessions.Session], asked: dict[str, Any], errors: dict[str, DescartesError]
) -> Iterator[_Part]:
    """Ask one session after the other; of several one that fails keeps nobody from asking the others."""
    for session in meant:
        looks = "looking for" if "dry_run" in asked else "removing"
        try:
            with lasting(f"{looks} old output of {printable(session.name)}"), awake(home, session) as socket:
                reply = change(socket, "session.collect", asked)
        except DescartesError as error:
            if len(meant) == 1:
                raise
            errors[str(session.path)] = error
            say_wrong(f"{session.name}: {error.message}")
        else:
            yield _Part(session, reply)


def _show(parts: list[_Part]) -> None:
    rows = [
        (
            printable(part.session.name),
            short(one["agent_id"]),
            printable(one["name"]),
            (one["ended_at"] or "")[:19],
            amount(one["bytes"]),
        )
        for part in parts
        for one in part.reply["agents"]
    ]
    if rows:
        print_table(("SESSION", "ID", "NAME", "ENDED", "SIZE"), rows)
    if all(part.is_nothing for part in parts):
        say("nothing is old enough")
    elif any(part.removes for part in parts):
        say(f"to remove: {_much(parts)}")
    if old := _compressed(parts):
        say(f"to compress: {_outputs(old)}, {amount(sum(one['bytes'] for one in old))}")
    sys.stdout.flush()
    _tell_kept(parts)


def _tell_done(parts: list[_Part]) -> None:
    if any(part.removes for part in parts):
        say(f"removed: {_much(parts)}")
    if old := _compressed(parts):
        before, after = (amount(sum(one[key] for one in old)) for key in ("bytes", "compressed_bytes"))
        say(f"compressed: {_outputs(old)}, {before} to {after}")


def _compressed(parts: list[_Part]) -> list[dict[str, Any]]:
    return [one for part in parts for one in part.reply["compressed"]]


def _outputs(agents: list[dict[str, Any]]) -> str:
    return f"the output of {len(agents)} agent{'s' * (len(agents) != 1)}"


def _tell_kept(parts: list[_Part]) -> None:
    for part in parts:
        for one in part.reply["kept"]:
            say_wrong(f"kept: {one}")


def _much(parts: list[_Part]) -> str:
    agents, events = [one for part in parts for one in part.reply["agents"]], _sum(parts, "events")
    return f"{_outputs(agents)}, {amount(_sum(parts, 'bytes'))}; {events} event{'s' * (events != 1)}"


def _sum(parts: list[_Part], key: str) -> int:
    return sum(part.reply[key] for part in parts)


def _ask(parts: list[_Part]) -> None:
    """Ask the person at the terminal.

    Raises:
        Refused: there is none, or they said no.

    """
    ask_consent(f"this removes {_much(parts)}", "Remove it, for ever?", otherwise="nothing is removed")
