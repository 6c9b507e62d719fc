"""Find out what is to be hidden: as configured, with the values that are secret here."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib import import_module

from descartes_core.redactor import Rules, known_values
from descartes_local.home import Home

#: No token of ours is longer, nor a file that holds one.
_LONGEST = 600


def rules_of(
    home: Home,
    patterns: Sequence[str] = (),
    variables: Sequence[str] = (),
    *,
    environment: Mapping[str, str] = os.environ,
) -> Rules:
    """Return the rules for text of this user's, where `redaction.enabled`.

    Args:
        home: Whose; the token that opens the doors is hidden, too.
        patterns: As configured (`redaction.patterns`).
        variables: Likewise (`redaction.variables`).
        environment: Where those and others have their values.

    Raises:
        ValueError: a pattern is no regular expression.

    """
    # Only who has patterns pays for RE2.
    compiled = import_module("descartes_core.expressions").compiled if patterns else None
    expressions = [compiled(pattern) for pattern in patterns] if compiled else []
    return Rules([*known_values(environment, variables), *_own_token(home)], expressions)


def _own_token(home: Home) -> list[str]:
    try:
        with home.token.open("rb") as file:
            found = file.read(_LONGEST).strip().decode()
    except (OSError, ValueError):
        return []
    return [found] if len(found) >= 16 else []
