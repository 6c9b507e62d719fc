"""Read what an agent said."""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator

import click

from descartes_cli import options
from descartes_cli.client import read
from descartes_cli.finding import find_agent
from descartes_core.plain_text import PlainText
from descartes_local.home import find_home

#: The most one reply carries.
_PIECE = 1024 * 1024
#: One call follows this long; then it is asked again.
_ROUND = 60.0


@click.command("logs")
@click.argument("agent", metavar="AGENT")
@click.option("-f", "--follow", is_flag=True, help="Go on until the agent has ended, also over its daemon's death.")
@click.option("--from", "offset", type=click.IntRange(min=0), metavar="OFFSET", help="Begin at this byte.")
@click.option("--tail", type=click.IntRange(min=0), metavar="N", help="Begin N lines before the end.")
@click.option(
    "--format", "form", type=click.Choice(["text", "raw"]), default="text", help="text: no control sequences."
)
@options.session
def logs(agent: str, follow: bool, offset: int | None, tail: int | None, form: str, session: str | None) -> None:
    """Print what an agent wrote to its terminal.

    raw gives its bytes exactly as the terminal had them, mostly CR LF where a line ends; it is nothing for a terminal.
    The daemon of an Inactive session is started.
    """
    if offset is not None and tail is not None:
        raise click.UsageError("--from and --tail exclude each other")
    found = find_agent(find_home(), agent, session)
    pieces = output(found.socket, found.id, offset=offset, tail=tail, follow=follow)
    write = sys.stdout.buffer.write
    plain = PlainText()
    for piece in pieces:
        if form == "raw":
            write(piece)
        else:
            # An empty piece: nothing more for now. A prompt has no line end, and is shown all the same.
            write((plain.feed(piece) if piece else plain.rest()).encode())
        if not piece:
            sys.stdout.flush()
    write(plain.rest().encode())


def output(
    socket: str, agent_id: str, *, offset: int | None = None, tail: int | None = None, follow: bool = False
) -> Iterator[bytes]:
    """Walk over the output; when following, an empty piece comes before each wait."""
    where = {"tail": tail} if tail is not None else {"offset": offset or 0}
    wait = 0.0
    while True:
        params = {"agent_id": agent_id, **where, "limit": _PIECE, "wait": wait}
        reply = read(socket, "agent.output", params, timeout=wait + 30.0)
        where, wait = {"offset": reply["next_offset"]}, 0.0
        if reply["data"]:
            yield base64.b64decode(reply["data"])
        if reply["next_offset"] < reply["size"]:
            continue
        if reply["ended"] or not follow:
            return
        yield b""
        wait = _ROUND
