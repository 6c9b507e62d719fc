"""The secret that opens every HTTP and WebSocket door."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import secrets
import stat
import tempfile

from descartes_core.errors import Unavailable
from descartes_local.home import Home
from descartes_local.json_file import sync_directory, write_bytes

#: 256 bits, written in base64.
_BYTES, _LENGTH = 32, 43
#: One that somebody wrote by hand may be longer; what is longer than this is something else.
_LONGEST = 500
#: RFC 6750: what a header can carry.
_FITTING = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=")

_log = logging.getLogger(__name__)


def read_or_make(home: Home) -> str:
    """Return the user's token; whoever comes first makes it, and everybody gets the same.

    Raises:
        Unavailable: the file cannot be read or made, is something else, or belongs to somebody else.

    """
    path = home.token
    try:
        while True:
            with contextlib.suppress(FileNotFoundError):
                return _read(home)
            _make(home)
    except OSError as error:
        raise Unavailable(f"cannot use {path}: {error.strerror or error}") from error


def _read(home: Home) -> str:
    while True:
        # A pipe by its name does not hold us up.
        descriptor = os.open(home.token, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise Unavailable(f"{home.token} is no regular file: remove it")
            if found.st_uid != os.getuid():
                raise Unavailable(f"{home.token} belongs to another user: remove it")
            if stat.S_IMODE(found.st_mode) & 0o077:
                _log.warning("%s could be read by others: its mode is 0600 now", home.token)
                os.fchmod(descriptor, 0o600)
            token = _valid(os.read(descriptor, _LONGEST + 2))
            if token is not None:
                return token
            _replace_torn(home, descriptor)
        finally:
            os.close(descriptor)


def _valid(content: bytes) -> str | None:
    token = content.strip()
    return token.decode() if _LENGTH <= len(token) <= _LONGEST and _FITTING.issuperset(token) else None


def _replace_torn(home: Home, descriptor: int) -> None:
    """Put a whole token in place of a torn one; the lock on the torn file lets only one do it."""
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        is_there = os.path.samestat(os.stat(home.token), os.fstat(descriptor))
    except FileNotFoundError:
        return
    if is_there:
        _log.warning("%s was empty or torn: it has a new token, clients must read it again", home.token)
        write_bytes(home.token, _new())


def _new() -> bytes:
    return secrets.token_urlsafe(_BYTES).encode() + b"\n"


def _make(home: Home) -> None:
    """Write it elsewhere and link it into place: it is there whole or not at all, and never replaces another."""
    descriptor, temporary = tempfile.mkstemp(prefix=".token.", dir=home.path)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(_new())
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(temporary, home.token)
    finally:
        os.unlink(temporary)
    sync_directory(home.path)
