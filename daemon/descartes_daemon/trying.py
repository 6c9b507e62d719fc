"""Remember, over a daemon's death, at whose screen it died."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

#: A daemon may be killed while it makes a screen; twice at the same one is no chance.
_TRIES = 2


@contextlib.contextmanager
def trying(directory: Path) -> Iterator[bool]:
    """Give whether what is in the block may be tried: not where it never came to its end, twice.

    The emulator is no code of ours, and reads what any program wrote: a fault in it would end the daemon, which is
    started again, and asked again.
    """
    mark = directory / "screen.trying"
    try:
        tries = mark.stat().st_size
    except OSError:
        tries = 0
    if tries >= _TRIES:
        yield False
        return
    with contextlib.suppress(OSError), open(mark, "ab") as file:
        file.write(b"x")
    try:
        yield True
    finally:
        with contextlib.suppress(OSError):
            mark.unlink()
