"""Who asked for a change, so that a repeat is not done twice."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from descartes_daemon.unit import Unit


@dataclass(slots=True)
class Asking:
    """One request for a change, on its way through."""

    method: str
    client: str
    #: The caller's request id; None where it gave none, and then nothing is remembered.
    id: str | None = None
    #: Another session's daemon, by its name on the bus, for which this is done; None: for this session.
    owner: str | None = None
    #: Whether the acceptance is part of a commit already.
    is_accepted: bool = False
    #: The answer, where it was committed together with the last effect of the request.
    answer: dict[str, Any] | None = None
    #: Done once the answer is stored, just before it is sent.
    afterwards: list[Callable[[], None]] = field(default_factory=list)

    @property
    def evidence(self) -> str:
        """Who asked, for the history: a pid alone tells nobody anything later."""
        return f"asked by {self.client}{_program(self.client)}"

    def accepted(self, unit: Unit) -> Unit:
        """Add the acceptance to what is committed with the first effect of the request, once."""
        if self.id is not None and not self.is_accepted:
            self.is_accepted = True
            unit.accept(self.id, self.method, time.time())
        return unit

    def answered(self, unit: Unit, answer: dict[str, Any]) -> Unit:
        """Add the answer to what is committed with the last effect of the request."""
        return unit if self.id is None else unit.answer(self.id, answer, time.time())


def _program(client: str) -> str:
    """Return the name of a local client's program, while it still waits for its answer."""
    found = re.fullmatch(r"pid (\d+)", client)
    try:
        return f" ({Path(f'/proc/{found[1]}/comm').read_text().strip()})" if found else ""
    except (OSError, UnicodeError):
        return ""
