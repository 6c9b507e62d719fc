"""How a supervisor begins: new and detached, or in the place of the one before."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Sequence

from setproctitle import setproctitle

from descartes_core import VERSION
from descartes_core.errors import ConfigInvalid
from descartes_core.times import written
from descartes_local.cgroup2 import leave_agents
from descartes_local.code_stamp import loaded_stamp
from descartes_local.home import Home, find_home
from descartes_local.probe import reached
from descartes_local.subreaper import become_subreaper
from descartes_orchestrator.supervisor import saving
from descartes_orchestrator.supervisor.house import PROGRAM, Program
from descartes_orchestrator.supervisor.journal import JOURNAL, note
from descartes_orchestrator.supervisor.numbers import Numbers, read_numbers
from descartes_orchestrator.supervisor.saving import SavedState
from descartes_orchestrator.supervisor.supervisor import Supervisor

_FIRST = 3
_TITLE = "descartes-supervisor"
_HIGHEST = 2**31 - 1


def begin(program: Program = PROGRAM, words: Sequence[str] = sys.argv[1:]) -> None:
    """Run; called by the first command that needs a supervisor, by the supervisor before us, and by nobody else."""
    match list(words):
        case ["--rehearse", blob]:
            _rehearse(program, int(blob))
        case ["--renewed", blob]:
            _take_over(program, int(blob))
        case _:
            _begin_new(program)


def _begin_new(program: Program) -> None:
    """Leave whoever started us."""
    count = int(os.environ.pop("LISTEN_FDS", "0"))
    if count not in (1, 2):
        sys.exit("the supervisor is started by the commands that need it: run `descartes ps`")
    # The listening socket, and the lock that tells the living supervisor; all else is our starter's.
    os.closerange(_FIRST + count, _HIGHEST)
    leave_agents()
    home, life = _home(), _FIRST + 1 if count > 1 else None
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
    soft = _raise_descriptor_limit()
    os.environ.setdefault("DESCARTES_SOFT_NOFILE", str(soft))  # a daemon that started us had raised its own
    reached("supervisor.begins")
    before = SavedState(VERSION, loaded_stamp(), written(time.time()), listener=_FIRST, life=life)
    _run(home, numbers, program, before)


def _rehearse(program: Program, blob: int) -> None:
    """Show that we could go on with everything, and do nothing; the one before lives, and hears us."""
    before = saving.read(blob)
    stamp = loaded_stamp()
    Supervisor(find_home(), read_numbers(find_home()), program, stamp, before)
    sys.stdout.write(json.dumps({"ready": True, "pid": os.getpid(), "version": VERSION, "stamp": stamp}))
    sys.stdout.flush()
    # Nothing may be taken down: all of it is shared with the one before.
    os._exit(0)


def _take_over(program: Program, blob: int) -> None:
    """Go on with everything; the one before was this very process, and signals wait until we hear them."""
    home = _home()
    reached("supervisor.renewed")
    before = saving.read(blob)
    os.close(blob)
    try:
        numbers = read_numbers(home)
    except ConfigInvalid as error:  # since the rehearsal
        note(f"goes on with the numbers that are built in: {error}")
        numbers = Numbers()
    _run(home, numbers, program, before)


def _home() -> Home:
    home = find_home()
    JOURNAL.path = home.log / "supervisor.log"
    return home


def _run(home: Home, numbers: Numbers, program: Program, before: SavedState) -> None:
    for descriptor in before.descriptors():
        os.set_inheritable(descriptor, False)
    setproctitle(_TITLE)
    become_subreaper()
    Supervisor(home, numbers, program, loaded_stamp(), before).run()


def _raise_descriptor_limit() -> int:
    """Raise the soft limit to the hard one and return what it was: agents get that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError) as error:  # macOS does not take "infinity"
        note(f"the limit of open files stays at {soft}: {error}")
    return soft
