"""What a directory takes on the disk."""

from __future__ import annotations

import os
from pathlib import Path

#: Of what st_blocks counts (stat(2)).
_BLOCK = 512


def taken_by(directory: Path) -> int:
    """Return what all files in and below it take, in bytes, holes left out; what vanishes meanwhile takes nothing."""
    taken, waiting = 0, [str(directory)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        taken += _taken_by_file(entry)
        except OSError:
            continue
    return taken


def _taken_by_file(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_blocks * _BLOCK
    except OSError:
        return 0
