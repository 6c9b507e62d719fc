"""Messages about sessions that go elsewhere, and what comes from there."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from descartes_core.messages.common import Change, Model

SomeFile = Annotated[str, StringConstraints(min_length=1, max_length=4096, pattern=r"^/[^\x00]*$")]


class ExportSession(Change):
    """Write the session into one file: rows, logs, what it is; `descartes sessions import` makes a session of it."""

    #: On the daemon's machine, absolute.
    path: SomeFile
    #: Whether a file that is there may be replaced.
    replace: bool = False


class Exported(Model):
    """The file that was written."""

    session_id: str
    path: str
    #: Its size.
    bytes: int
    #: How many agents are in it.
    agents: int
    exported_at: str


class ImportOriginal(Change):
    """Take in what a database of the original Descartes has: tasks, events, and what its agents were like."""

    #: On the daemon's machine, absolute; it is only read.
    path: SomeFile


class OriginalImported(Model):
    """What was taken in."""

    path: str
    #: What had written it: `store`, or `init`.
    kind: str
    #: They are the session's own tasks now.
    tasks: int
    events: int
    #: Of keys of so many agents: `status`, `state` and `agent`.
    changes: int
    agents: int
    #: Tables with rows of which nothing was made.
    left: list[str]
