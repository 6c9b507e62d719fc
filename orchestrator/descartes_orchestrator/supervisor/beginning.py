"""How a supervisor begins: detached, with what its starter handed over."""

from __future__ import annotations

import os
import resource
import socket
import sys

from setproctitle import setproctitle

from descartes_core.errors import ConfigInvalid
from descartes_local.home import find_home
from descartes_local.subreaper import become_subreaper
from descartes_orchestrator.supervisor.house import Command, daemon_command
from descartes_orchestrator.supervisor.journal import JOURNAL, note
from descartes_orchestrator.supervisor.numbers import read_numbers
from descartes_orchestrator.supervisor.supervisor import Supervisor

_FIRST = 3
_TITLE = "descartes-supervisor"
_HIGHEST = 2**31 - 1


def begin(command: Command = daemon_command) -> None:
    """Leave whoever started us, and run; called by the first command that needs a supervisor, and by nobody else."""
    count = int(os.environ.pop("LISTEN_FDS", "0"))
    if count not in (1, 2):
        sys.exit("the supervisor is started by the commands that need it: run `descartes ps`")
    # The listening socket, and the lock that tells the living supervisor; all else is our starter's.
    os.closerange(_FIRST + count, _HIGHEST)
    home = find_home()
    JOURNAL.path = home.log / "supervisor.log"
    try:
        numbers = read_numbers(home)
    except ConfigInvalid as error:
        note(f"the supervisor does not begin: {error}")
        os._exit(error.exit)
    # Whoever started us waits for this exit only, and is not our parent any more.
    if os.fork() != 0:
        os._exit(0)
    os.environ.pop("LISTEN_FDNAMES", None)
    os.chdir("/")
    os.umask(0o077)
    os.environ["DESCARTES_SOFT_NOFILE"] = str(_raise_descriptor_limit())
    setproctitle(_TITLE)
    become_subreaper()
    Supervisor(home, socket.socket(fileno=_FIRST), numbers, command).run()


def _raise_descriptor_limit() -> int:
    """Raise the soft limit to the hard one and return what it was: agents get that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError) as error:  # macOS does not take "infinity"
        note(f"the limit of open files stays at {soft}: {error}")
    return soft
