"""One SQLite connection, in a thread of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from typing import Self, TypeVar

import aiosqlite

_T = TypeVar("_T")


class Database(aiosqlite.Connection):
    """A connection that runs a whole piece of work in its thread at once: one hop, however many statements."""

    @classmethod
    def open(cls, connection: sqlite3.Connection) -> Self:
        """Take over a connection; entering the block begins the thread."""
        return cls(lambda: connection, iter_chunk_size=64)

    async def __aenter__(self) -> Self:
        try:
            await self
        except BaseException:
            self._thread.join()  # aiosqlite only asks it to end: it would speak to a loop that may be closed by then
            raise
        return self

    async def apply(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run it there, and return what it returns."""
        run: Callable[..., Awaitable[_T]] = self._execute
        return await run(work, self._conn)
