"""Messages about typing, and about terminals."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from descartes_core.messages.common import LARGEST_PIECE, AgentName, Change, Model, Rows


class Write(Change):
    """Type into an agent's terminal, or write to its stdin: text or bytes, not both."""

    agent_id: AgentName
    text: Annotated[str, StringConstraints(max_length=LARGEST_PIECE)] | None = None
    #: base64
    data: Annotated[str, StringConstraints(max_length=LARGEST_PIECE * 2)] | None = None
    #: Press Enter, as a write of its own, once the echo was seen and has been quiet for 120 ms (1 s at most).
    enter: bool = False
    #: Paste the text as the program asked for (bracketed where mode 2004 is on); its control bytes are left out.
    paste: bool = False
    #: The end of input: an agent without a terminal gets no more stdin; in a terminal Ctrl-D is typed.
    eof: bool = False


class Written(Model):
    """How many bytes the terminal took."""

    written: int


class Resize(Change):
    """Set the size of an agent's terminal."""

    agent_id: AgentName
    rows: Rows
    cols: Rows


#: What may be shown in somebody else's terminal: nothing that moves its cursor or turns its text around.
ClientName = Annotated[
    str,
    StringConstraints(
        min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+$"
    ),
]


class Attach(Model):
    """Turn this connection into the agent's terminal (Unix socket only; docs/protocol.md has the frames)."""

    agent_id: AgentName
    #: Size of the caller's terminal; None leaves the agent's as it is.
    rows: Rows | None = None
    cols: Rows | None = None
    #: Go on from this offset instead of painting a screen first.
    offset: Annotated[int, Field(ge=0)] | None = None
    mode: Literal["rw", "ro"] = "rw"
    #: What the client calls itself, e.g. "ada@pts/3": others are told so who types.
    client: ClientName | None = None
