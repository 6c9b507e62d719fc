"""What came of one try."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from descartes_core.redaction import redact_text

#: Of a reason for people, characters.
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Outcome:
    """Delivered, or why not."""

    error: str | None = None
    #: What a command said last, or a receiver that refused.
    output: str | None = None
    #: Nobody wants it there any more.
    is_gone: bool = False

    @classmethod
    def failed(
        cls, error: str, output: str = "", *, known: Iterable[str] = (), most: int | None = None, is_gone: bool = False
    ) -> Outcome:
        """Return a failure, without what is or looks like a secret; of the output the first, cut after that."""
        return cls(redact_text(error)[:_LONGEST], redact_text(output, known)[:most] or None, is_gone)


DELIVERED = Outcome()
