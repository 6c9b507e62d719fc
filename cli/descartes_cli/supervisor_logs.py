"""Read the supervisor's log, and follow it."""

from __future__ import annotations

import os
import select
from collections import deque
from io import BufferedReader
from pathlib import Path

import click

from descartes_cli.render import printable
from descartes_core.errors import NotFound, NotHere
from descartes_local import inotify
from descartes_local.home import find_home

_EXAMPLES = """\b
Examples:
  descartes supervisor logs
  descartes supervisor logs -f -n 0
"""
#: It is begun anew at a megabyte: both files together are read in no time.
_PIECE = 1024 * 1024


@click.command("logs", epilog=_EXAMPLES)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is noted from now on, also by the next supervisor.")
@click.option("-n", "--lines", type=click.IntRange(min=0), default=50, show_default=True, help="How many of the last.")
def logs(follow: bool, lines: int) -> None:
    """Read what the supervisor noted: starts, ends, renewals, and what went wrong."""
    show_log(find_home().log / "supervisor.log", "no supervisor", follow=follow, lines=lines)


def show_log(path: Path, nobody: str, *, follow: bool, lines: int) -> None:
    """Print a log's last lines, and what comes, on request.

    Raises:
        NotFound: nobody has written one.
        NotHere: it cannot be followed.

    """
    watch = _watch(path) if follow else None
    log = _Log(path)
    for line in log.last(lines):
        _say(line)
    if watch is None:
        if not path.exists():
            raise NotFound(f"{nobody} has noted anything yet: {path} is not there")
        return
    while True:
        log.say_news()
        # Without a deadline: a person ends it.
        select.select([watch.descriptor], [], [])
        watch.read()


def _watch(path: Path) -> inotify.Inotify:
    try:
        watch = inotify.Inotify()
        watch.add(path.parent, inotify.MODIFY | inotify.MOVED_TO)
    except OSError as error:
        raise NotHere(f"{path.parent} cannot be followed: {error.strerror or error}") from error
    return watch


class _Log:
    """A file that is moved away now and then, and begun anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = _opened(path)
        self._rest = b""

    def last(self, count: int) -> deque[bytes]:
        """Return the last whole lines, of the file before this one too."""
        lines: deque[bytes] = deque(maxlen=count)
        if (older := _opened(self._path.with_name(f"{self._path.name}.1"))) is not None:
            with older:
                lines.extend(older)
        lines.extend(self._news())
        return lines

    def say_news(self) -> None:
        """Print what has come since."""
        for line in self._news():
            _say(line)
        current = _opened(self._path)
        if current is None:
            return
        if self._file is not None and _is_same(self._file, current):
            current.close()
            return
        # What was written between the last look and the move is in the old one.
        for line in self._news():
            _say(line)
        if self._file is not None:
            self._file.close()
        self._file = current
        for line in self._news():
            _say(line)

    def _news(self) -> list[bytes]:
        if self._file is None:
            return []
        data = self._rest
        while piece := self._file.read(_PIECE):
            data += piece
        *lines, self._rest = data.split(b"\n")
        return lines


def _opened(path: Path) -> BufferedReader | None:
    try:
        return open(path, "rb")
    except FileNotFoundError:
        return None


def _is_same(one: BufferedReader, other: BufferedReader) -> bool:
    return os.path.sameopenfile(one.fileno(), other.fileno())


def _say(line: bytes) -> None:
    click.echo(printable(line.rstrip(b"\n").decode(errors="replace")))
