"""What the end of a login takes along, and what it leaves."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
from pathlib import Path

from descartes_local.cgroup2 import Cgroup

#: The group of one login, as systemd-logind makes it; and that of the user's own manager, with all it has started.
_OF_LOGIN = re.compile(r"/session-[^/]+\.scope(?=/|$)")
_OF_MANAGER = re.compile(r"/user@\d+\.service(?=/|$)")
_LINGERING = Path("/var/lib/systemd/linger")
_BUSCTL = Path("/usr/bin/busctl")
_LOGIND = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager", "KillUserProcesses")
#: Seconds; the answer comes within milliseconds, or logind is not well.
_DEADLINE = 2


def is_lingering(directory: Path = _LINGERING) -> bool:
    """Say whether the user's own manager goes on without any login (`loginctl enable-linger`)."""
    try:
        return (directory / pwd.getpwuid(os.getuid()).pw_name).exists()
    except KeyError:  # nobody knows us by name
        return False


def lasts(group: Cgroup | None, *, lingers: bool, busctl: Path = _BUSCTL) -> bool:
    """Say whether processes of a login's group go on after it, where the user's own manager would not.

    It ends with the last login, and everything in its scopes with it; a login's group is by default only given up, so
    that what runs there stays, and the manager with it.
    """
    return group is not None and not lingers and bool(_OF_LOGIN.search(str(group.path))) and _gives_up(busctl)


def ends_with_logins(group: Cgroup | None, *, lingers: bool) -> bool:
    """Say whether processes of a group end with the last login, since the user's own manager does."""
    return group is not None and not lingers and bool(_OF_MANAGER.search(str(group.path)))


def _gives_up(busctl: Path) -> bool:
    """Ask logind whether it leaves the processes of a login that has ended."""
    words = [str(busctl), "--system", f"--timeout={_DEADLINE}", "get-property", *_LOGIND]
    reads, writes = os.pipe()
    with os.fdopen(reads, "rb") as pipe:
        try:
            quiet = (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)
            pid = os.posix_spawn(words[0], words, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, writes, 1), quiet])
        except OSError:
            return False
        finally:
            os.close(writes)
        told = pipe.read()
    with contextlib.suppress(ChildProcessError):  # somebody else in this process reaps children
        os.waitpid(pid, 0)
    return told.strip() == b"b false"
