"""Remember, over a daemon's death, at whose screen it died."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

#: A daemon may be killed while it makes a screen; twice at the same one is no chance.
_TRIES = 2
#: Then it is left alone for this long (seconds); it may have been chance all the same.
_REST = 600.0


@contextlib.contextmanager
def trying(directory: Path) -> Iterator[bool]:
    """Give whether what is in the block may be tried: not where it never came to its end, twice, a moment ago.

    The emulator is no code of ours, and reads what any program wrote: a fault in it would end the daemon, which is
    started again, and asked again.
    """
    mark = directory / "screen.trying"
    if _tries(mark) >= _TRIES:
        yield False
        return
    with contextlib.suppress(OSError), open(mark, "ab", opener=_private) as file:
        file.write(b"x")
    try:
        yield True
    finally:
        with contextlib.suppress(OSError):
            mark.unlink()


def _tries(mark: Path) -> int:
    try:
        found = mark.stat()
    except OSError:
        return 0
    return found.st_size if abs(time.time() - found.st_mtime) < _REST else 0


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
