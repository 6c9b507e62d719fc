"""Regular expressions of other people: linear in time, whatever they are (RE2)."""

from __future__ import annotations

from typing import Any

import re2


def compiled(text: str) -> Any:
    """Return it ready for use.

    Raises:
        ValueError: it is none.

    """
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except re2.error as error:
        why = error.args[0] if error.args else error
        raise ValueError(
            f"{text!r} is no regular expression: {why.decode() if isinstance(why, bytes) else why}"
        ) from None
