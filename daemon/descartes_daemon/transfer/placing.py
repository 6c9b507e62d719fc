"""Put a file somewhere whole, or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from descartes_core.errors import AlreadyExists
from descartes_local.json_file import sync_directory
from descartes_local.probe import reached


@contextlib.contextmanager
def placed(path: Path, *, replace: bool) -> Iterator[IO[bytes]]:
    """Give a file to write, which has its name once the block has ended well; a kill before leaves nothing of it.

    Raises:
        AlreadyExists: something has that name, and is not to be replaced.
        OSError: it cannot be written there.

    """
    with _nameless(path) as (file, source):
        yield file
        file.flush()
        os.fsync(file.fileno())
        reached("export.written")
        _name(source, path, replace=replace)
    sync_directory(path.parent)


@contextlib.contextmanager
def _nameless(path: Path) -> Iterator[tuple[IO[bytes], str]]:
    """Give a file that has no name yet, and by what it can be linked; else one with a name of its own."""
    if (descriptor := _open_nameless(path.parent)) is not None:
        with open(descriptor, "wb") as file:
            yield file, f"/proc/self/fd/{descriptor}"
        return
    partial = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.partial")
    try:
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            yield file, str(partial)
    finally:
        partial.unlink(missing_ok=True)


def _open_nameless(directory: Path) -> int | None:
    """Return None where there are no such files: on macOS, on some file systems, without /proc to name them by."""
    flag = getattr(os, "O_TMPFILE", 0)
    if not (flag and os.path.isdir("/proc/self/fd")):
        return None
    try:
        return os.open(directory, flag | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
            return None
        raise


def _name(source: str, path: Path, *, replace: bool) -> None:
    try:
        _link(source, path)
    except FileExistsError:
        if not replace:
            raise AlreadyExists(f"{path} exists already") from None
        beside = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.partial")
        _link(source, beside)
        try:
            os.replace(beside, path)
        except OSError:  # a directory, say
            beside.unlink(missing_ok=True)
            raise


def _link(source: str, path: Path) -> None:
    parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # With a directory Python calls linkat(2), which can follow what /proc tells of a descriptor.
        os.link(source, path.name, src_dir_fd=parent, dst_dir_fd=parent, follow_symlinks=True)
    finally:
        os.close(parent)
