"""Look into an index that somebody else writes; one look at a time, in any thread."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from pathlib import Path
from typing import Any

from descartes_core.errors import Refused
from descartes_daemon.search.hiding import Hiding
from descartes_daemon.search.index_opening import NAME, open_reader
from descartes_daemon.search.indexing import Session, behind
from descartes_daemon.search.searching import Found, Searching, Wanted


def finding_of(directory: Path, settings: dict[str, Any]) -> Any:
    """Return what compares with the vectors of one index.

    Raises:
        Refused: numpy is missing.

    """
    try:
        from descartes_daemon.search.semantic.finding import Finding  # with numpy, for those who ask
    except ImportError as error:
        raise Refused("this needs numpy: pip install 'descartes-orchestrator[semantic]'") from error
    return Finding(directory, settings)


class Looking:
    """One session's index and what it tells of, opened when they are needed."""

    def __init__(self, directory: Path, workspace: Path | None, hiding: Hiding, session_id: str) -> None:
        self._directory, self._workspace, self._hiding, self._session_id = directory, workspace, hiding, session_id
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._index: sqlite3.Connection | None = None
        self._inode = 0
        #: Compares with vectors (`search.semantic.finding`), once somebody has asked for that.
        self.finding: Any = None

    def look(self, wanted: Wanted, alike: str | None = None) -> tuple[Found, int, int]:
        """Search, and say how many bytes are not in the index yet, and how many passages have no vector.

        Args:
            wanted: What is looked for.
            alike: The text that passages shall be like, where that is asked for; `finding` is there then.

        Raises:
            sqlite3.DatabaseError: the index is torn.

        """
        with self._lock:
            session, index = self._opened()
            if index is None:
                return Found([], True), behind(session, None), 0
            searching = Searching(session, index, self._hiding, self._session_id)
            if alike is None or self.finding is None:
                return searching.run(wanted), behind(session, index), 0
            with contextlib.closing(searching):
                found, missing = self.finding.run(searching, index, wanted, self._hiding.hide(alike))
            return found, behind(session, index), missing

    def missing(self) -> int:
        """Return how many passages have no vector yet."""
        with self._lock:
            try:
                _, index = self._opened()
                return 0 if index is None or self.finding is None else int(self.finding.missing(index))
            except sqlite3.DatabaseError:
                return 0

    def behind(self) -> int:
        """Return how many bytes are not in the index yet; where it is torn, all of them."""
        with self._lock:
            try:
                session, index = self._opened()
            except sqlite3.DatabaseError:
                return 1
            return behind(session, index)

    def status(self) -> dict[str, Any]:
        """Return the figures of search.status."""
        with self._lock:
            try:
                session, index = self._opened()
            except sqlite3.DatabaseError:
                return {"passages": 0, "bytes": 0, "dropped": 0, "oldest": None, "behind": 0, **self._vectors(None, 0)}
            passages, oldest, dropped, size = 0, None, 0, 0
            if index is not None:
                query = "SELECT ifnull(sum(last - first + 1), 0), min(oldest) FROM volumes"
                passages, oldest = index.execute(query).fetchone()
                (dropped,) = index.execute("SELECT ifnull(sum(value), 0) FROM counts WHERE name = 'dropped'").fetchone()
                size = sum(one.stat().st_size for one in self._directory.glob(f"{NAME}*"))
            left = behind(session, index)
            told = {"passages": passages, "bytes": size, "dropped": dropped, "oldest": oldest, "behind": left}
            return {**told, **self._vectors(index, passages)}

    def _vectors(self, index: sqlite3.Connection | None, passages: int) -> dict[str, Any]:
        embedder, made = None, 0
        if index is not None and index.execute("SELECT 1 FROM sqlite_master WHERE name = 'vectors'").fetchone():
            (made,) = index.execute("SELECT ifnull(sum(count), 0) FROM vectors").fetchone()
            embedder = next((name for (name,) in index.execute("SELECT name FROM embedder").fetchall()), None)
        hot = 0 if self.finding is None else min(made, self.finding.hot)
        cold = sum(path.stat().st_size for path in self._directory.glob("agents/*/*.cold"))
        missing = 0 if embedder is None else passages - made
        return {"embedder": embedder, "hot": hot, "warm": made - hot, "missing": missing, "cold": cold}

    def close(self) -> None:
        """Let go of the files."""
        with self._lock:
            self._forget()
            if self._session is not None:
                self._session.close()
                self._session = None

    def _opened(self) -> tuple[Session, sqlite3.Connection | None]:
        if self._session is None:
            self._session = Session(self._directory, self._workspace)
        path = self._directory / NAME
        try:
            inode = path.stat().st_ino
        except OSError:
            inode = 0
        if inode != self._inode:
            self._forget()
            if inode:
                self._index, self._inode = open_reader(path), inode
        return self._session, self._index

    def _forget(self) -> None:
        if self.finding is not None:
            self.finding.close()  # what it has mapped is of this index
        if self._index is not None:
            self._index.close()
        self._index, self._inode = None, 0
