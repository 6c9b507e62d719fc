"""Read a file that others may have put there."""

from __future__ import annotations

import os
import stat

#: What people and we write into JSON and TOML has some kilobytes; what is larger is something else.
LARGEST = 1024 * 1024


class NotRegular(ValueError):
    """By that name there is something else than a regular file, or one that is too large."""


def open_regular(path: str | os.PathLike[str]) -> int:
    """Return a descriptor to read a regular file by; a pipe by its name does not hold us up.

    Raises:
        OSError: it cannot be opened.
        NotRegular: it is a pipe, a device or a directory.

    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegular("it is no regular file")
    return descriptor


def read_regular(path: str | os.PathLike[str]) -> bytes:
    """Return the content of a small regular file.

    Raises:
        OSError: it cannot be read.
        NotRegular: it is a pipe, a device, a directory, or too large.

    """
    descriptor = open_regular(path)
    try:
        size = os.fstat(descriptor).st_size
        if size > LARGEST:
            raise NotRegular(f"it has {size} bytes, more than {LARGEST}")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)
