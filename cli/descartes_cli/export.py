"""Write an agent's recording into a file."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import click

from descartes_cli import options
from descartes_cli.finding import Found, find_agent
from descartes_cli.progress import lasting
from descartes_cli.recorded import recorded, with_input
from descartes_cli.render import amount, printable, say_wrong
from descartes_core.errors import Refused
from descartes_core.recordings.forms import FormName, form
from descartes_core.recordings.hiding import Hiding
from descartes_core.recordings.moments import Moment
from descartes_core.redactor import Rules
from descartes_core.times import read
from descartes_local.config_places import is_configured
from descartes_local.hiding import rules_of
from descartes_local.home import Home, find_home

_EXAMPLES = """\b
Examples:
  descartes export fixer -o fixer.cast                asciinema plays it
  descartes export fixer --format html -o fixer.html  a page to read, without any script
  descartes export fixer --format text | less
"""
_ENDINGS: dict[str, FormName] = {".cast": "cast", ".jsonl": "jsonl", ".txt": "text", ".html": "html", ".htm": "html"}


@click.command("export", epilog=_EXAMPLES)
@options.agent
@click.option(
    "--format",
    "name",
    type=click.Choice(["cast", "jsonl", "text", "html"]),
    help="cast: asciicast v2; jsonl: a line for each piece, with time and base64; text, html: the lines that were "
    "there in the end. Default: by the file's name, else cast.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Default: stdout.")
@click.option("--no-redact", is_flag=True, help="Leave tokens, passwords and other secrets in it.")
@options.session
def export(agent: str, name: FormName | None, output: Path | None, no_redact: bool, session: str | None) -> None:
    """Write what an agent's terminal showed, with its times, for other programs and other people.

    Secrets become *** (see `redaction` in the configuration). A FILE is there whole or not at all. The daemon of an
    Inactive session is started.
    """
    home = find_home()
    found = find_agent(home, agent, session)
    name = name or _ENDINGS.get(output.suffix.lower() if output else "", "cast")
    rules = None if no_redact else _rules(home, found)
    written = form(
        name, printable(found.name), found.id, read(found.agent["started_at"] or found.agent["created_at"]), rules
    )
    with lasting(f"writing {output or 'it'}"), _opened(output) as file:
        for moment in _shown(with_input(found, recorded(found)), rules):
            file.write(written.take(moment).encode("utf-8", "replace"))
        file.write(written.end().encode("utf-8", "replace"))
    if output is not None and sys.stderr.isatty():
        say_wrong(f"{output}: {amount(output.stat().st_size)}")


def _shown(moments: Iterable[Moment], rules: Rules | None) -> Iterator[Moment]:
    """Walk over them without their secrets; what is gone is told."""
    hiding = Hiding(rules) if rules is not None else None
    for moment in moments:
        if moment.kind == "gap":
            say_wrong(moment.text)
        yield from hiding.feed(moment) if hiding is not None else (moment,)
    if hiding is not None:
        yield from hiding.rest()


def _rules(home: Home, found: Found) -> Rules | None:
    session_id = str(found.agent["session_id"])
    if not is_configured(home, session_id=session_id):
        return rules_of(home)
    from descartes_local.config import load  # only who has configured something pays for its imports

    wanted = load(home, session_id=session_id).redaction
    return rules_of(home, wanted.patterns, wanted.variables) if wanted.enabled else None


@contextlib.contextmanager
def _opened(path: Path | None) -> Iterator[BinaryIO]:
    """Open what is written to: a file is put in place once it is whole."""
    if path is None:
        yield sys.stdout.buffer
        return
    if path.exists() and not path.is_file():  # /dev/stdout, a pipe
        with path.open("wb") as file:
            yield file
        return
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.absolute().parent)
    except OSError as error:
        raise Refused(f"cannot write {path}: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o600)  # what an agent said is for its owner's eyes
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
