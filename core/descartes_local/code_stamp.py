"""What tells one state of the installed code from another."""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec

from descartes_core import VERSION

#: What is ours; each is looked for where it would be imported from now.
PACKAGES = ("descartes_core", "descartes_local", "descartes_daemon", "descartes_orchestrator", "descartes_cli")


def code_stamp() -> str:
    """Return a short text that changes whenever the installed code does: ours, or which libraries lie beside it."""
    newest, checksum = 0, 0
    for path, modified, size in _everything():
        newest = max(newest, modified)
        # Not hashlib, whose library is larger than all that a small process has besides.
        checksum = zlib.crc32(f"{path}\0{modified}\0{size}\n".encode(errors="replace"), checksum)
    return f"{VERSION}-{newest:x}-{checksum:08x}"


@cache
def loaded_stamp() -> str:
    """Return the state of the code that this process has loaded: as it was at the first call.

    Whoever loads much calls it before; a process forked from it has loaded the same.
    """
    return code_stamp()


def _everything() -> Iterator[tuple[str, int, int]]:
    for name in PACKAGES:
        spec = find_spec(name)
        for place in (spec.submodule_search_locations if spec else None) or []:
            yield from sorted(_sources(place))
    for place in sys.path:
        if place.endswith("-packages"):  # whoever installs another library there leaves a mark
            yield place, _modified(place), 0


def _sources(place: str) -> Iterator[tuple[str, int, int]]:
    """Yield every source below a directory: where it lies, when it was changed, how long it is."""
    try:
        with os.scandir(place) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name != "__pycache__":
                        yield from _sources(entry.path)
                elif entry.name.endswith((".py", ".sql")):
                    found = entry.stat()
                    yield entry.path, found.st_mtime_ns, found.st_size
    except OSError:  # it is just being replaced
        return


def _modified(place: str) -> int:
    try:
        return os.stat(place).st_mtime_ns
    except OSError:
        return 0
