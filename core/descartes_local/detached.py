"""Start a program that outlives us and holds nothing of ours."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from descartes_core.errors import SupervisorUnreachable
from descartes_local import cgroup2, login
from descartes_local.home import Home
from descartes_local.subreaper import leaving_orphans

#: What it gets: its listening socket, and the lock that tells the living supervisor.
FD_NAMES = "rpc:life"
#: A process that gives itself a title (setproctitle) leaves its /proc/PID/environ whole.
KEEPS_ENVIRON = {"SPT_NOENV": "1"}
#: What a supervisor and its daemons get of the environment; agents get their own caller's.
_PASSED = (
    *("HOME", "PATH", "LANG", "USER", "LOGNAME", "SHELL", "TZ", "XDG_RUNTIME_DIR", "TMPDIR", "VIRTUAL_ENV"),
    *("DESCARTES_PROBE", "DESCARTES_SUPERVISOR_LINGER", "DESCARTES_SOFT_NOFILE"),
)
#: The second: its own section of the configuration.
_PASSED_TOO = ("LC_", "DESCARTES_SUPERVISOR__")
_SYSTEMD_RUN = Path("/usr/bin/systemd-run")
_PROPERTIES = (
    # Delegated: so it may make control groups for agents, and have the kernel hold them within their limits.
    "--property=Delegate=yes",
    # When the machine is shut down: shells do not hear TERM, and the supervisor stays as long as agents do.
    "--property=SendSIGHUP=yes",
    "--property=TimeoutStopSec=20",
)
#: The started program leaves us after its first imports; systemd may have to be waited for.
_DEADLINE = 10.0


def start_detached(command: Sequence[str], descriptors: Sequence[int], home: Home) -> None:
    """Start it with these descriptors from 3 on, and return once it has left us.

    In a scope of its own where systemd has one for us that lasts: the end of a login then takes nothing along.

    Raises:
        SupervisorUnreachable: it cannot be started.

    """
    scope = [str(_SYSTEMD_RUN), "--user", "--scope", *_PROPERTIES, "--quiet", "--collect", "--"]
    commands = [[*scope, *command]] if has_systemd() and not _lasts() else []
    with leaving_orphans():  # a daemon that starts the next supervisor is not to be its parent
        for words in [*commands, list(command)]:
            if _ran(words, descriptors, home):
                return
    raise SupervisorUnreachable(f"the supervisor cannot be started: look at {home.log / 'supervisor.log'}")


def has_systemd() -> bool:
    """Say whether this login has a manager of its own, which may be asked for a scope."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return bool(runtime) and Path(f"{runtime}/systemd").is_dir() and _SYSTEMD_RUN.exists()


def _lasts() -> bool:
    return login.lasts(cgroup2.own(), lingers=login.is_lingering())


def _ran(command: Sequence[str], descriptors: Sequence[int], home: Home) -> bool:
    log = str(home.log / "supervisor.log")
    first_free = 3 + len(descriptors)
    # Out of the way first: a source may lie where another is to go.
    moved = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, first_free) for descriptor in descriptors]
    try:
        pid = os.posix_spawn(
            command[0],
            list(command),
            _environment(home, len(descriptors)),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
                *((os.POSIX_SPAWN_DUP2, source, number) for number, source in enumerate(moved, start=3)),
            ],
            setsid=True,
            setsigmask=[],
            setsigdef=[signal.SIGPIPE, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD],
        )
    except OSError as error:
        raise SupervisorUnreachable(f"the supervisor cannot be started: {command[0]}: {error}") from error
    finally:
        for descriptor in moved:
            os.close(descriptor)
    return _has_left(pid)


def _environment(home: Home, count: int) -> dict[str, str]:
    environment = {name: text for name, text in os.environ.items() if name in _PASSED or name.startswith(_PASSED_TOO)}
    contract = {"LISTEN_FDS": str(count), "LISTEN_FDNAMES": FD_NAMES}
    return {**environment, "DESCARTES_HOME": str(home.path), **contract, **KEEPS_ENVIRON}


def _has_left(pid: int) -> bool:
    """Wait for the exit of the process we started; what it forked goes on. Say whether it went well."""
    if sys.platform == "linux":
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(pid)
            try:
                poll = select.poll()
                poll.register(descriptor, select.POLLIN)
                if not poll.poll(_DEADLINE * 1000):
                    os.kill(pid, signal.SIGKILL)
            finally:
                os.close(descriptor)
    try:
        return os.waitpid(pid, 0)[1] == 0
    except ChildProcessError:
        return True  # somebody else in this process reaps children: the connection will tell
