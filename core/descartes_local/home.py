"""Where everything of one user lies."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

from descartes_core.errors import ConfigInvalid, Unavailable
from descartes_core.ids import short

#: sockaddr_un holds 107 bytes and a NUL on Linux, 103 elsewhere; what is longer lies in a fallback directory.
LONGEST_SOCKET_PATH = 100


class Home(NamedTuple):
    """The user's directory (`DESCARTES_HOME`, else `~/.descartes`) and the places in it."""

    path: Path

    @property
    def run(self) -> Path:
        """Return where run files lie."""
        return self.path / "run"

    @property
    def sockets(self) -> Path:
        """Return where Unix sockets lie: the run directory, or a short one where its path is too deep for a socket."""
        if len(os.fsencode(self.run)) + len("/supervisor.sock") <= LONGEST_SOCKET_PATH:
            return self.run
        import hashlib  # rarely needed here, and every quick verb would pay for it

        mark = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]
        base = os.environ.get("XDG_RUNTIME_DIR") or "/tmp"  # noqa: S108 - a private directory is made in it
        return Path(base) / f"descartes-{os.getuid()}-{mark}"

    @property
    def log(self) -> Path:
        """Return where logs lie that belong to no session."""
        return self.path / "log"

    @property
    def token(self) -> Path:
        """Return the file with the token of every HTTP and WebSocket door."""
        return self.path / "token"

    @property
    def sessions_file(self) -> Path:
        """Return the file that tells the active session and the workspaces once used."""
        return self.path / "sessions.json"

    @property
    def supervisor_socket(self) -> Path:
        """Return where the supervisor listens."""
        return self.sockets / "supervisor.sock"

    def session(self, session_id: str) -> Path:
        """Return the data directory of a session."""
        return self.path / "sessions" / session_id

    def run_file(self, session_id: str) -> Path:
        """Return the run file of a session's daemon."""
        return self.run / f"{short(session_id)}.json"

    def daemon_socket(self, session_id: str) -> Path:
        """Return where a session's daemon listens."""
        return self.sockets / f"{short(session_id)}.sock"

    def notify_socket(self, session_id: str) -> Path:
        """Return where a session's daemon tells the supervisor how it is."""
        return self.sockets / f"{short(session_id)}.notify"

    def make(self) -> None:
        """Make the directories, for nobody else to read.

        Raises:
            Unavailable: one cannot be made, or belongs to somebody else.

        """
        for directory in (self.path, self.run, self.log, self.path / "sessions", self.path / "keys"):
            make_private(directory)
        if self.sockets != self.run and self.sockets.is_symlink():
            raise Unavailable(f"{self.sockets} is a link, which anybody may have made: remove it")
        make_private(self.sockets)


def make_private(directory: Path) -> None:
    """Make a directory of mode 0700, or check that it is ours.

    Raises:
        Unavailable: it cannot be made, or belongs to somebody else.

    """
    try:
        found = directory.stat() if directory.is_dir() else None
        if found is None:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = directory.stat()
    except OSError as error:
        raise Unavailable(
            f"cannot use {directory}: {error.strerror}; set DESCARTES_HOME to a directory of yours"
        ) from error
    if found.st_uid != os.getuid():
        raise Unavailable(f"{directory} belongs to another user; set HOME or DESCARTES_HOME to a directory of yours")
    if stat.S_IMODE(found.st_mode) & 0o077:
        directory.chmod(0o700)


def find_home() -> Home:
    """Return the user's home, as the environment says.

    Raises:
        ConfigInvalid: neither DESCARTES_HOME nor HOME says where, or what it says is not absolute.

    """
    named = os.environ.get("DESCARTES_HOME")
    home = os.environ.get("HOME")
    if not named and not home:
        raise ConfigInvalid("neither HOME nor DESCARTES_HOME is set: set one of them")
    path = Path(named) if named else Path(home or "") / ".descartes"
    if not path.is_absolute():
        raise ConfigInvalid(f"{'DESCARTES_HOME' if named else 'HOME'} must be an absolute path, it is {path}")
    return Home(path)
