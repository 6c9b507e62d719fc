"""The rest of a line that a passage cuts: a secret may go on there."""

from __future__ import annotations

import re
from typing import NamedTuple

from descartes_daemon.search.strip import cleaned

#: So much is looked at on each side.
LONGEST = 2048
_MOVE = re.compile(rb"[\n\r\x1b]")


class CutOff(NamedTuple):
    """The rest of a passage's first and of its last text."""

    before: str = ""
    behind: str = ""


def cut_off(before: bytes, data: bytes, behind: bytes) -> CutOff:
    """Return what of the same texts stands right before and right behind some data; mostly nothing."""
    return CutOff(
        "" if before.endswith(b"\n") else _MOVE.split(cleaned(before[-LONGEST:]))[-1].decode("utf-8", "replace"),
        ""
        if data.endswith(b"\n")
        else _MOVE.split(cleaned(behind[:LONGEST]), maxsplit=1)[0].decode("utf-8", "replace"),
    )
