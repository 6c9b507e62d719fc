"""Messages about what an agent said."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from descartes_core.messages.common import LARGEST_PIECE, AgentName, Model, Wait

Stream = Literal["stdout", "stderr"]


class ReadOutput(Model):
    """Read what an agent said, from an offset."""

    agent_id: AgentName
    #: A terminal is one stream: its stdout. Without a terminal each stream has offsets of its own.
    stream: Stream = "stdout"
    #: Absolute offset in bytes.
    offset: Annotated[int, Field(ge=0)] | None = None
    #: Instead of an offset: begin this many lines before the end.
    tail: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    #: Instead of an offset: begin with what was said at this moment (RFC 3339); only of a terminal.
    since: Annotated[str, StringConstraints(max_length=40)] | None = None
    #: The most bytes of one reply; with `filter`, the most that are looked through.
    limit: Annotated[int, Field(ge=1, le=LARGEST_PIECE)] = 65_536
    #: A regular expression (RE2): `lines` then has the whole lines it is found in, without control sequences.
    filter: Annotated[str, StringConstraints(min_length=1, max_length=1000)] | None = None
    #: Tell when what was said, and how large the terminal was.
    times: bool = False
    #: Wait this many seconds for the first byte, or for the end.
    wait: Wait = 0.0


class OutputGap(Model):
    """Bytes that were asked for, and are gone."""

    #: The first one, and the first one after them.
    begin: int
    end: int
    #: A sentence for people.
    reason: str


class OutputLine(Model):
    """One line that a filter let through."""

    #: Where it begins in the log.
    offset: int
    text: str


class OutputTime(Model):
    """When a part of a piece was said: that from where the one before ends up to this offset."""

    end: int
    at: str
    #: The terminal's size from then on.
    rows: int
    cols: int


class Output(Model):
    """A piece of output."""

    offset: int
    #: base64; empty with `filter`.
    data: str
    #: Only with `filter`.
    lines: list[OutputLine] = []
    #: Only with `times`, in order; the first one ends at `offset`.
    times: list[OutputTime] = []
    next_offset: int
    #: Bytes so far, from offset 0 on, also those that were dropped.
    size: int
    #: Whether more than this piece is there already.
    has_more: bool
    #: What was dropped between the offset asked for and `offset`.
    gap: OutputGap | None = None
    #: Nothing more will come after `size`.
    ended: bool


class ReadScreen(Model):
    """Show what an agent's terminal shows, now or when its log had this many bytes."""

    agent_id: AgentName
    #: text: lines of characters; vt: bytes that paint the screen in an empty terminal of the same size.
    format: Literal["text", "vt"] = "text"
    #: Default: now.
    offset: Annotated[int, Field(ge=0)] | None = None


class Cursor(Model):
    """Where the cursor is."""

    #: From 0, from the top left.
    row: int
    col: int
    visible: bool


class Screen(Model):
    """What a terminal shows."""

    format: Literal["text", "vt"]
    #: Text, or VT bytes as text (UTF-8).
    screen: str
    rows: int
    cols: int
    cursor: Cursor | None
    #: Whether a full-screen program has switched to the alternate screen.
    alternate: bool
    #: The window title the program has set.
    title: str
    #: Where the log goes on behind this screen; a little before the offset asked for, where that cuts a sequence.
    offset: int
    #: emulator: exact; text: there is no emulator, or it gave up: text without control sequences.
    source: Literal["emulator", "text"]
