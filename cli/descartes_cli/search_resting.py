"""Search in sessions that have no daemon now, and start none."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Set as AbstractSet
from typing import Any

from descartes_cli.resting import inactive_sessions
from descartes_core.errors import InvalidParams, Unavailable
from descartes_local.home import Home

#: The process that reads what their daemons wrote; like a daemon it is started, not imported.
_READER = [sys.executable, "-P", "-m", "descartes_daemon.search.resting"]
_DEADLINE = 60.0


def ask_resting(home: Home, others: AbstractSet[str], wanted: dict[str, Any]) -> dict[str, tuple[str, Any]]:
    """Return the name and the answer of each session but for the others, or the error why there is none."""
    found = [one for one in inactive_sessions(home, others, None) if (home.session(one[0]) / "state.db").is_file()]
    if not found:
        return {}
    asked = [{"id": identity, "path": path} for identity, _, path, _ in found]
    order = json.dumps({"home": str(home.path), "sessions": asked, "query": wanted}) + "\n"
    try:
        ran = subprocess.run(_READER, input=order.encode(), stdout=subprocess.PIPE, check=True, timeout=_DEADLINE)
        answers = json.loads(ran.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        why = Unavailable(f"what it has cannot be read: {error}")
        return {identity: (name, why) for identity, name, _, _ in found}
    return {identity: (name, _answer(answers[identity])) for identity, name, _, _ in found}


def _answer(told: dict[str, Any]) -> Any:
    if "error" not in told:
        return told
    return (InvalidParams if told["code"] == InvalidParams.code else Unavailable)(told["error"])
