"""Become the parent of orphans below this process, or not of one of them."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Iterator

#: prctl(2); Linux has had them since 3.4, and never refuses.
_PR_SET_CHILD_SUBREAPER, _PR_GET_CHILD_SUBREAPER = 36, 37


def become_subreaper() -> None:
    """Become the parent, instead of init, of what dead children leave; each process must say so for itself."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


@contextlib.contextmanager
def leaving_orphans() -> Iterator[None]:
    """Let what children leave within the block be somebody else's: one that is to be nobody's part.

    Orphans of other children go there too. They bear marks; who has none is not found any more.
    """
    was = ctypes.c_int()
    if sys.platform == "linux":
        library = ctypes.CDLL(None)
        library.prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(was), 0, 0, 0)
        if was.value:
            library.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
    try:
        yield
    finally:
        if was.value:
            become_subreaper()
