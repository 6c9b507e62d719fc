"""Fill what is free between what is loaded, so that each daemon's own things lie together.

What imports let go of leaves holes on nearly every page. A daemon would put its first things there, one here and one
there, and have a copy of each of these pages; beside one another they need a fifth of them.
"""

from __future__ import annotations

import ctypes

#: What is said of a `bytes` object besides its content.
_HEAD = b"".__sizeof__()
#: Python's own allocator serves what is no larger, in steps, out of pools of 16 KiB; the C library what is.
_STEP, _LARGEST_SMALL, _RUN = 16, 512, 15_000
#: More is never taken for one size, whatever the allocator does.
_MOST = 512 * 1024
#: Nothing that a daemon needs at its start is larger, but for what is mapped by itself.
_LARGEST = 64 * 1024

_filling: list[bytes] = []


def fill_holes() -> None:
    """Take all of them, for as long as this process lives."""
    for size in range(_HEAD // _STEP * _STEP + _STEP, _LARGEST_SMALL + 1, _STEP):
        _fill_small(size)
    _fill_large()


def _fill_small(size: int) -> None:
    """Take blocks of this size until they come one behind the other: from an empty pool, which is given back."""
    before, run = 0, 0
    for _ in range(_MOST // size):
        block = bytes(size - _HEAD)
        _filling.append(block)
        run = run + 1 if id(block) - before == size else 0
        before = id(block)
        if run * size > _RUN:
            break
    del block, _filling[-run - 1 :]


def _fill_large() -> None:
    """Take what lies below the end of the heap, the largest first; `bytes` would leave out the small ones."""
    malloc = ctypes.CDLL(None).malloc
    malloc.argtypes, malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
    end = max(malloc(_LARGEST) for _ in range(4))
    for size in [*(_LARGEST >> half for half in range(7)), *range(_LARGEST >> 6, 0, -_STEP)]:
        for _ in range(_MOST // size):
            if (malloc(size) or end + 1) > end:
                break
