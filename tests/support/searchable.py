"""A session's files as a daemon leaves them, the process that indexes them, and a search."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from descartes_core.redactor import Rules
from descartes_daemon.schema import open_writer
from descartes_daemon.search.asked import read_query
from descartes_daemon.search.hiding import Hiding
from descartes_daemon.search.index_opening import NAME, open_reader
from descartes_daemon.search.indexing import Session, behind
from descartes_daemon.search.searching import Found, Searching, Wanted
from descartes_daemon.sql import QUERIES
from tests.support.rows import an_agent

GIBIBYTE = 1024**3
#: Long ago: what was written then is at rest.
RESTED = 1_700_000_000


class Searchable:
    """A session that nobody serves."""

    def __init__(self, place: Path) -> None:
        place.mkdir(exist_ok=True)
        self.place = place
        self.state = open_writer(place / "state.db")
        self.workspace: Path | None = None
        self.max_bytes = GIBIBYTE

    def agent(self, identity: str, *, tty: bool = True) -> Path:
        """Add an agent, and return the log of its terminal or stdout."""
        row = an_agent(identity, tty=tty)
        self.state.execute(QUERIES["add_agent"], row.as_params())
        log = self.place / "agents" / identity / "output.log"
        log.parent.mkdir(parents=True)
        return log

    def say(self, log: Path, output: bytes, *, rested: bool = True) -> None:
        """Write what an agent says."""
        with log.open("ab") as file:
            file.write(output)
        if rested:
            os.utime(log, (RESTED, RESTED))

    def event(self, event_type: str, data: dict[str, Any], agent: str | None = None) -> None:
        """Store an event."""
        params = {"id": "e", "at": 1.0, "type": "AgentEvent", "event_type": event_type, "agent_id": agent}
        self.state.execute(QUERIES["tell"], {**params, "data": json.dumps(data)})

    def begin(self, **more: Any) -> subprocess.Popen[bytes]:
        """Begin the process that indexes."""
        order = {
            "directory": str(self.place),
            "workspace": str(self.workspace or ""),
            "home": str(self.place),
            "name": "shop",
        }
        order |= {"max_bytes": self.max_bytes, "is_urgent": True, "is_semantic": False}
        order |= {"redaction": {"enabled": True, "patterns": [], "variables": []}, **more}
        process = subprocess.Popen(
            [sys.executable, "-m", "descartes_daemon.search.indexer"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.flush()
        return process

    def index(self, **more: Any) -> str:
        """Let all be indexed, and return what the process said of it."""
        process = self.begin(**more)
        assert process.stdout is not None
        said = process.stdout.read().decode().strip()
        process.wait()
        self.let_go(process)
        return said

    @staticmethod
    def let_go(process: subprocess.Popen[bytes]) -> None:
        """Close the pipes of a process that has ended."""
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()

    def find(self, query: str, **more: Any) -> Found:
        """Search."""
        with self.opened() as (session, index):
            return Searching(session, index, Hiding(Rules()), "s").run(Wanted(read_query(query), **more))

    def behind(self) -> int:
        """Return how many bytes are not in the index."""
        with self.opened() as (session, index):
            return behind(session, index)

    @contextlib.contextmanager
    def opened(self) -> Iterator[tuple[Session, sqlite3.Connection]]:
        """Open it for a look."""
        session, index = Session(self.place, self.workspace), open_reader(self.place / NAME)
        try:
            yield session, index
        finally:
            session.close()
            index.close()

    def passages(self) -> list[tuple[str, int, int]]:
        """Return every passage there is: of whom, from where, to where."""
        query = (
            "SELECT s.agent_id, p.begin, p.end FROM passages AS p JOIN sources AS s ON s.id = p.source ORDER BY p.id"
        )
        with self.opened() as (_, index):
            return index.execute(query).fetchall()

    def close(self) -> None:
        """Let go of it."""
        self.state.close()


def numbered(first: int, last: int) -> bytes:
    """Return lines of which each has a word of its own."""
    return b"".join(b"step word%d was taken by the worker at last\r\n" % number for number in range(first, last))


def wait_a_little(seconds: float) -> None:
    """Let a process come to any place of its work."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        pass
