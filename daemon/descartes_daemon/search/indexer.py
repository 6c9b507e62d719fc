"""The process `descartes-indexer`: brings one session's index up to date, and ends.

It is given one line of JSON, and goes on while its stdin is open: it ends with whoever started it. Nobody waits for it
but who searches: it has only what of the processor nobody else wants.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

from descartes_daemon.search.hiding import Hiding
from descartes_daemon.search.index_file import Index, OvertakenError
from descartes_daemon.search.index_opening import is_passing, remove
from descartes_daemon.search.indexing import ROOM, Indexing, NoRoomError, Session
from descartes_local.hiding import rules_of
from descartes_local.home import Home

#: So long what is urgent is so for vectors, too (seconds).
_PATIENCE = 5.0
FULL, DONE = "there is no room for the index", "done"


def main() -> int:
    """Do it, and say in one word how it went."""
    order = json.loads(sys.stdin.buffer.readline())
    if not order["is_urgent"]:
        give_way()
    with contextlib.suppress(ImportError):
        import setproctitle

        setproctitle.setproctitle(f"descartes-indexer {order['name']}")
    told = _index(order)
    with contextlib.suppress(OSError):  # its one reader is who started it, and may have been killed
        os.write(1, told.encode())
    return 0


def hiding_of(order: dict[str, Any]) -> Hiding:
    """Return what hides secrets, as the order says."""
    redaction = order["redaction"]
    if not redaction["enabled"]:
        return Hiding(None)
    return Hiding(rules_of(Home(Path(order["home"])), redaction["patterns"], redaction["variables"]))


def _index(order: dict[str, Any]) -> str:
    directory = Path(order["directory"])
    workspace = Path(order["workspace"]) if order["workspace"] else None
    try:
        session = Session(directory, workspace)
    except sqlite3.Error as error:
        return f"state.db: {error}"
    try:
        index = Index(directory, order["max_bytes"])
        try:
            hiding = hiding_of(order)
            rest = None if order["is_urgent"] else _rest
            Indexing(session, index, hiding, goes_on=_is_wanted, room=order.get("room", ROOM), rest=rest).run()
            if trouble := _compare(order, session, index, hiding):
                return trouble
        finally:
            index.close()
    except OvertakenError:
        return DONE
    except (NoRoomError, OSError) as error:
        return FULL if isinstance(error, NoRoomError) else str(error)
    except sqlite3.Error as error:
        if not is_passing(error):
            remove(directory)
        return str(error)
    finally:
        session.close()
    return DONE


def _compare(order: dict[str, Any], session: Session, index: Index, hiding: Hiding) -> str | None:
    """Make vectors where somebody has asked for what is alike; say why that cannot be, if so."""
    there = index.connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'vectors'").fetchone()
    if not (order["is_semantic"] or there):
        return None
    try:
        from descartes_daemon.search.semantic.embedding import make_vectors  # with numpy, for those who ask
    except ImportError:
        return None
    ends = time.monotonic() + _PATIENCE

    def goes_on() -> bool:
        if time.monotonic() > ends:
            give_way()  # who waited for it waits no more
        return _is_wanted()

    return make_vectors(order["semantic"], session, index, hiding, goes_on)


def give_way() -> None:
    """Take only the time that nobody else wants."""
    # Not SCHED_IDLE: on a busy machine it would hold the index's lock for seconds before whoever searches.
    os.nice(19)


def _is_wanted() -> bool:
    """Say whether who started us is still there: it writes nothing more, so its end is all there is to read."""
    return not _is_over(0)


def _rest(seconds: float) -> None:
    """Do nothing for so long, or until who started us has ended."""
    _is_over(seconds)


def _is_over(seconds: float) -> bool:
    ready, _, _ = select.select([0], [], [], seconds)
    return bool(ready)


if __name__ == "__main__":
    sys.exit(main())
