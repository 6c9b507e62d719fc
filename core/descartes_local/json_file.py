"""Write a JSON file so that it is there whole, or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any


def write_json(path: Path, value: Any, *, durable: bool = True, mode: int = 0o600) -> None:
    """Write, sync, rename; what was there before stays until then.

    `durable=False` leaves out the sync, for files that mean nothing after a power loss (run files).

    Raises:
        OSError: it cannot be written; the previous file is untouched.

    """
    try:
        content = json.dumps(value, indent=2, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # a path whose bytes are no UTF-8: Python's surrogates survive as escapes
        content = json.dumps(value, indent=2).encode()
    write_bytes(path, content + b"\n", durable=durable, mode=mode)


def write_bytes(path: Path, content: bytes, *, durable: bool = True, mode: int = 0o600) -> None:
    """Do the same for any content."""
    # Not by tempfile: its imports cost every quick verb 5 ms.
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{time.monotonic_ns()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    if durable:
        sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make a rename in this directory survive a power loss, where the file system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read_json(path: Path) -> Any:
    """Return the value.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not JSON in UTF-8.

    """
    try:
        return json.loads(path.read_bytes())
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
