"""Read what an agent said."""

from __future__ import annotations

import queue
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import click

from descartes_cli import options
from descartes_cli.finding import Found, find_agent
from descartes_cli.log_forms import Cast, Form, Json, Raw, Text
from descartes_cli.render import say_wrong
from descartes_cli.said import Piece, Wanted, said
from descartes_core.errors import NotHere
from descartes_core.times import read, written
from descartes_local.home import find_home

_EXAMPLES = """\b
Examples:
  descartes logs fixer --tail 20
  descartes logs fixer -f --since 10m --grep 'FAILED|Error'
  descartes logs fixer --format cast > fixer.cast     asciinema plays it
"""
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
#: Pieces of two streams that wait to be written: no more than two of them lie in memory.
_MOST_WAITING = 2


def _moment(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    """Return a time, or one so long ago, as agent.output reads it."""
    if text is None:
        return None
    if ago := re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text):
        return written(max(0.0, time.time() - float(ago[1]) * _UNITS[ago[2]]))
    try:
        return written(read(text))
    except (ValueError, OverflowError):
        why = f"{text!r} is neither 30s, 10m, 2h, 3d ago nor a time like 2026-11-21T10:20:00Z."
        raise click.BadParameter(why) from None


def _expression(_context: click.Context, _parameter: click.Parameter, text: str | None) -> re.Pattern[str] | None:
    """Compile a regular expression."""
    try:
        return None if text is None else re.compile(text)
    except (re.error, RecursionError) as error:
        raise click.BadParameter(f"{text!r} is no regular expression: {error}") from None


@click.command("logs", epilog=_EXAMPLES)
@options.agent
@click.option("-f", "--follow", is_flag=True, help="Go on until the agent has ended, also over its daemon's death.")
@click.option("--from", "offset", type=click.IntRange(min=0), metavar="OFFSET", help="Begin at this byte.")
@click.option("--tail", type=click.IntRange(min=0), metavar="N", help="Begin N lines before the end.")
@click.option("--since", callback=_moment, metavar="TIME", help="Begin at this time, or so long ago: 30s, 10m, 2h, 3d.")
@click.option("--grep", callback=_expression, metavar="RE", help="Only lines in which this is found (Python's re).")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "raw", "json", "cast"]),
    default="text",
    help="text: no control sequences; raw: its bytes; json: a line for each piece, with time and base64; "
    "cast: a recording for asciinema.",
)
@click.option(
    "--stream",
    type=click.Choice(["stdout", "stderr", "both"]),
    help="Of an agent without a terminal; default: both, to stdout and stderr, in no certain order.",
)
@options.session
def logs(
    agent: str,
    follow: bool,
    offset: int | None,
    tail: int | None,
    since: str | None,
    grep: re.Pattern[str] | None,
    form: str,
    stream: str | None,
    session: str | None,
) -> None:
    """Print what an agent wrote to its terminal, or to its stdout and stderr.

    raw gives its bytes exactly as the terminal had them, mostly CR LF where a line ends; it is nothing for a terminal.
    Bytes that are gone (caps, a full disk, gc) are told on stderr. The daemon of an Inactive session is started.
    """
    begin = {"offset": offset, "tail": tail, "since": since}
    given = [(key, value) for key, value in begin.items() if value is not None]
    if len(given) > 1:
        raise click.UsageError("--from, --tail and --since exclude each other")
    if grep is not None and form != "text":
        raise click.UsageError("--grep looks through text: it goes with --format text only")
    found = find_agent(find_home(), agent, session)
    streams = _streams(found, stream)
    if offset is not None and len(streams) > 1:
        raise click.UsageError("--from counts the bytes of one stream: say --stream stdout or --stream stderr")
    has_times = form in ("json", "cast")
    where = given[0] if given else ("offset", 0)
    wanted = [Wanted(one, where, follow, has_times) for one in streams]
    _print(found, wanted, lambda: _form(form, found, grep), apart=form in ("text", "raw"))


def _streams(found: Found, asked: str | None) -> list[str]:
    if found.agent.get("tty", True):
        return ["stdout" if asked in (None, "both") else asked]
    return ["stdout", "stderr"] if asked in (None, "both") else [asked]


def _form(form: str, found: Found, grep: re.Pattern[str] | None) -> Form:
    has_terminal = found.agent.get("tty", True)
    match form:
        case "raw":
            return Raw()
        case "json":
            return Json(found.id, with_stream=not has_terminal)
        case "cast":
            if not has_terminal:
                raise NotHere(f"{found.name} has no terminal: there is nothing to play; use --format json")
            return Cast(found.name, found.agent["started_at"])
        case _:
            return Text(grep)


def _print(found: Found, wanted: list[Wanted], form: Callable[[], Form], *, apart: bool) -> None:
    """Write each stream in its form; `apart`: what it said to stderr goes to ours."""
    forms = {one.stream: form() for one in wanted}
    to_stderr = apart and len(wanted) > 1
    places = {one.stream: sys.stderr if to_stderr and one.stream == "stderr" else sys.stdout for one in wanted}
    walks = [said(found.socket, found.id, one) for one in wanted]
    for piece in walks[0] if len(walks) == 1 else _at_once(walks):
        place = places[piece.stream]
        if piece.gap:
            gap = piece.gap
            place.buffer.write(forms[piece.stream].take(Piece(piece.stream, gap["begin"], b"", [], gap)))
            many = f"{gap['end'] - gap['begin']:,} bytes of its {piece.stream} from offset {gap['begin']:,} on are gone"
            say_wrong(f"{many}: {gap['reason']}")
        place.buffer.write(forms[piece.stream].take(replace(piece, gap=None)))
        if piece.is_pause or len(wanted) > 1:
            place.flush()
    for stream, one in forms.items():
        places[stream].buffer.write(one.end())
        places[stream].flush()


def _at_once(walks: list[Iterator[Piece]]) -> Iterator[Piece]:
    """Walk over several at once, each in a thread: no order between them is known."""
    pieces: queue.Queue[Piece | BaseException | None] = queue.Queue(_MOST_WAITING)

    def walk(one: Iterator[Piece]) -> None:
        try:
            for piece in one:
                pieces.put(piece)
        except BaseException as error:  # told by the main thread
            pieces.put(error)
        else:
            pieces.put(None)

    for one in walks:
        threading.Thread(target=walk, args=(one,), daemon=True).start()
    going = len(walks)
    while going:
        piece = pieces.get()
        if isinstance(piece, BaseException):
            raise piece
        if piece is None:
            going -= 1
        else:
            yield piece


def output(
    socket: str, agent_id: str, *, offset: int | None = None, tail: int | None = None, follow: bool = False
) -> Iterator[bytes]:
    """Walk over the bytes of a terminal's output; when following, an empty piece comes before each wait."""
    where = ("tail", tail) if tail is not None else ("offset", offset or 0)
    for piece in said(socket, agent_id, Wanted(where=where, follow=follow)):
        if piece.data or piece.is_pause:
            yield piece.data
