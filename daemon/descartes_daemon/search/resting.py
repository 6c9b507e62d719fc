"""Search in sessions that have no daemon now, as a process of its own.

It is given one line of JSON, starts and stores nothing, and prints what each session has: as far as it was indexed.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

from descartes_core.errors import DescartesError, InvalidParams
from descartes_core.times import read
from descartes_daemon.search.asked import read_query
from descartes_daemon.search.hiding import Hiding
from descartes_daemon.search.looking import Looking, finding_of
from descartes_daemon.search.searching import Wanted
from descartes_local.config import load
from descartes_local.hiding import rules_of
from descartes_local.home import Home


def main() -> int:
    """Answer one question for all sessions it names."""
    asked = json.loads(sys.stdin.buffer.readline())
    home = Home(Path(asked["home"]))
    answers: dict[str, Any] = {}
    for session in asked["sessions"]:
        try:
            answers[session["id"]] = _answer(home, session, asked["query"])
        except InvalidParams as error:
            answers = {one["id"]: {"error": error.message, "code": error.code} for one in asked["sessions"]}
            break
        except (DescartesError, OSError, sqlite3.Error) as error:
            answers[session["id"]] = {"error": str(error), "code": "unavailable"}
    print(json.dumps(answers))  # noqa: T201 - its one reader is who started it
    return 0


def _answer(home: Home, session: dict[str, str], query: dict[str, Any]) -> dict[str, Any]:
    workspace = Path(session["path"]) if session["path"] else None
    settings = load(home, workspace=workspace, session_id=session["id"])
    redaction = settings.redaction
    rules = rules_of(home, redaction.patterns, redaction.variables) if redaction.enabled else None
    since = None if query.get("since") is None else read(query["since"])
    wanted = Wanted(
        read_query(query["query"]), query["limit"], tuple(query["kinds"]), None, query.get("task_id"), since
    )
    looking = Looking(home.session(session["id"]), workspace, Hiding(rules), session["id"])
    alike = query["query"] if query.get("semantic") else None
    try:
        if alike is not None:
            looking.finding = finding_of(home.session(session["id"]), settings.semantic.model_dump(mode="json"))
        found, behind, missing = looking.look(wanted, alike)
    finally:
        looking.close()
    complete = found.is_complete and not behind and not missing
    return {"results": found.results, "complete": complete, "behind": behind, "missing": missing}


if __name__ == "__main__":
    sys.exit(main())
