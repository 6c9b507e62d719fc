"""Say what happened: one line with the time."""

from __future__ import annotations

import os
import time
from pathlib import Path

from descartes_core.redaction import redact_text
from descartes_core.times import written
from descartes_local.rotation import rotate

#: Some 10,000 lines, and as many older ones.
_MOST, _KEEP = 1024 * 1024, 1
_STDERR = 2


class Journal:
    """The supervisor's log, which is its standard error; bounded where that is the file named."""

    def __init__(self) -> None:
        self.path: Path | None = None

    def note(self, text: str) -> None:
        """Write one line."""
        # What others call themselves is noted too, and read in a terminal.
        line = redact_text("".join(map(_escaped, " ".join(text.splitlines()))))
        try:
            os.write(_STDERR, f"{written(time.time())} {line}\n".encode(errors="backslashreplace"))
            if self.path is not None:
                rotate(self.path, most=_MOST, keep=_KEEP)
        except OSError:
            # A full disk must not end the keeper of everybody's agents.
            return


def _escaped(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


#: A process has one standard error.
JOURNAL = Journal()


def note(text: str) -> None:
    """Write one line to the supervisor's log."""
    JOURNAL.note(text)
