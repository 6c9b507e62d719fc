"""Read a small file that others may have put there."""

from __future__ import annotations

import os
import stat

#: What people and we write into JSON and TOML has some kilobytes; what is larger is something else.
LARGEST = 1024 * 1024


class NotRegular(ValueError):
    """By that name there is something else than a small regular file."""


def read_regular(path: str | os.PathLike[str]) -> bytes:
    """Return the content of a small regular file; a pipe by its name does not hold us up.

    Raises:
        OSError: it cannot be read.
        NotRegular: it is a pipe, a device, a directory, or too large.

    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise NotRegular("it is no regular file")
        if found.st_size > LARGEST:
            raise NotRegular(f"it has {found.st_size} bytes, more than {LARGEST}")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)
