"""Show an agent's terminal again."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

import click

from descartes_cli import options
from descartes_cli.client import read
from descartes_cli.finding import Found, find_agent
from descartes_cli.player import Begun, Player
from descartes_cli.rawmode import ending_in_order, lent
from descartes_cli.recorded import recorded
from descartes_cli.render import say_wrong
from descartes_core.recordings.moments import Moment
from descartes_core.recordings.pace import Pace
from descartes_core.times import written
from descartes_local.home import find_home

_EXAMPLES = """\b
Examples:
  descartes replay fixer --speed 4 --idle-limit 2
  descartes replay fixer --from 00:03:10 --to 00:05:00
Keys: space stands still and goes on, → and ← go 5 s on and back, q ends it.
"""
#: A daemon makes one screen after the other, each in seconds at most.
_TIMEOUT = 60.0


def _moment(_context: click.Context, _parameter: click.Parameter, text: str | None) -> float | None:
    """Return seconds of what is written 190, 3:10 or 00:03:10.5."""
    if text is None:
        return None
    if not re.fullmatch(r"(?:(?:\d{1,4}:)?\d{1,4}:)?\d{1,9}(?:\.\d+)?", text):
        raise click.BadParameter(f"{text!r} is no time of a recording: 190, 3:10 or 00:03:10")
    seconds = 0.0
    for part in text.split(":"):
        seconds = seconds * 60 + float(part)
    return seconds


@click.command("replay", epilog=_EXAMPLES)
@options.agent
@click.option("--speed", type=click.FloatRange(0.01, 1000), default=1.0, metavar="N", help="So many times as fast.")
@click.option("--from", "start", callback=_moment, metavar="TIME", help="Begin here: seconds, or [H:]M:S.")
@click.option("--to", "stop", callback=_moment, metavar="TIME", help="End there.")
@click.option("--idle-limit", type=options.Seconds(0.0), metavar="SECONDS", help="No pause lasts longer.")
@click.option("--resize", is_flag=True, help="Ask this terminal to be as large as that one was.")
@options.session
def replay(
    agent: str,
    speed: float,
    start: float | None,
    stop: float | None,
    idle_limit: float | None,
    resize: bool,
    session: str | None,
) -> None:
    """Show what an agent's terminal showed, as fast as it came.

    Nothing of it asks or changes this terminal; secrets are shown as they were. The daemon of an Inactive session is
    started.
    """
    found = find_agent(find_home(), agent, session)
    first = next(recorded(found), None)
    if first is None:
        say_wrong(f"{found.name} has said nothing")
        return
    if not resize:
        _tell_size(*first.size)
    keyboard = 0 if sys.stdin.isatty() and sys.stdout.isatty() else None
    player = Player(lambda at: _begun(found, first, at), Pace(speed, idle_limit), 1, keyboard)
    gaps: list[str] = []
    player.on_gap = gaps.append
    if resize:
        player.on_size = lambda rows, cols: b"\x1b[8;%d;%dt" % (rows, cols)
    sys.stdout.flush()
    with lent(keyboard, lambda: None) if keyboard is not None else ending_in_order(), _size_kept(resize):
        player.play(first.at, start or 0.0, stop)
    if sys.stdout.isatty():
        sys.stdout.write("\r\n")
    for gap in dict.fromkeys(gaps):
        say_wrong(gap)


def _tell_size(rows: int, cols: int) -> None:
    if sys.stdout.isatty():
        here = os.get_terminal_size(1)
        if here.lines < rows or here.columns < cols:
            say_wrong(
                f"it was recorded in {cols} columns and {rows} rows, this terminal has {here.columns} and {here.lines}:"
                " make it larger, or use --resize"
            )


@contextlib.contextmanager
def _size_kept(is_changed: bool) -> Iterator[None]:
    before = os.get_terminal_size(1) if is_changed and sys.stdout.isatty() else None
    try:
        yield
    finally:
        if before is not None:
            os.write(1, b"\x1b[8;%d;%dt" % (before.lines, before.columns))


def _begun(found: Found, first: Moment, start: float) -> Begun:
    """Begin at a time: with the screen as it was then."""
    if start <= 0:
        return Begun("\x1b[0m\x1b[H\x1b[2J" if sys.stdout.isatty() else "", recorded(found))
    offset = _offset_at(found, first.at + start)
    shown = read(
        found.socket, "agent.screen", {"agent_id": found.id, "format": "vt", "offset": offset}, timeout=_TIMEOUT
    )
    usual = "\x1b[?1049l" if not shown["alternate"] else ""
    size = Moment(first.at + start, "size", size=(shown["rows"], shown["cols"]))
    rest = recorded(found, shown["offset"])
    return Begun(usual + shown["screen"], itertools.chain((size,), rest))


def _offset_at(found: Found, at: float) -> int:
    params: dict[str, Any] = {"agent_id": found.id, "since": written(at), "limit": 1}
    return int(read(found.socket, "agent.output", params)["offset"])
