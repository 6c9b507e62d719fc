"""What doctor sees of the machine and the user's own directory."""

from __future__ import annotations

import importlib.util
import os
import platform
import resource
import shlex
import stat
from collections.abc import Iterator, Sequence

from descartes_cli.remark import Remark, ok, warning, wrong
from descartes_cli.render import amount
from descartes_core import VERSION
from descartes_core.errors import DescartesError
from descartes_core.limits import HELD
from descartes_local import cgroup2, login
from descartes_local.cgroup2 import Cgroup
from descartes_local.detached import has_systemd
from descartes_local.disk_use import taken_by
from descartes_local.home import Home
from descartes_local.supervisor_file import read_supervisor_file

#: Below this a flood of output soon fills a disk (bytes).
_LITTLE_ROOM = 1024**3
#: Four descriptors an agent, and as many sockets.
_FEW_DESCRIPTORS = 4096
_DELEGATE = "Delegate=yes in the unit that Descartes runs in lets the kernel do it"
_LINGER = "after `loginctl enable-linger` the next supervisor begins in a scope of its own, where the kernel does it"


def look_at_machine(home: Home) -> Iterator[Remark]:
    """Walk over what is to be said of Python, limits, the home, its token and the disk."""
    yield ok("version", f"descartes {VERSION}, Python {platform.python_version()}, {platform.system()}")
    yield from _limits()
    yield from _control_groups(home)
    yield _emulator()
    yield from _home(home)
    if os.path.isdir(home.path):
        yield from _token(home)
        yield _configuration(home)
        yield _disk(home)


def _limits() -> Iterator[Remark]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < _FEW_DESCRIPTORS:
        text = f"a process may open {hard} descriptors, which is enough for some {max(0, hard - 100) // 6} agents"
        yield warning("descriptors", text, "raise the hard limit: ulimit -Hn, or LimitNOFILE in the login's unit")
    else:
        yield ok("descriptors", f"soft limit {soft}, hard limit {hard}; daemons raise their own")


def _control_groups(home: Home) -> Iterator[Remark]:
    """Tell who would hold agents within `spawn --memory --cpus --pids`, and whether they outlive the login."""
    supervisor = read_supervisor_file(home)
    group = cgroup2.of_process("self" if supervisor is None else supervisor.pid) or cgroup2.own()
    lingers = login.is_lingering()
    lasts = login.lasts(group, lingers=lingers)
    if group is None:
        yield ok("limits", f"there is no cgroup v2: {_looks(HELD)}")
    elif supervisor is None and has_systemd() and not lasts:
        text = (
            "the supervisor will begin in a scope of its own, whose control groups let the kernel hold agents in limits"
        )
        yield ok("limits", text)
    else:
        yield _holder(Cgroup(cgroup2.base_of(group).path.parent), _LINGER if lasts else _DELEGATE)
    if supervisor is not None and login.ends_with_logins(group, lingers=lingers):
        yield warning(
            "login", "agents end with your last login, as all that systemd runs for you", "loginctl enable-linger"
        )


def _holder(where: Cgroup, remedy: str) -> Remark:
    if not cgroup2.may_make(where):
        return ok("limits", f"{where.path} may not be written: {_looks(HELD)}; {remedy}")
    if missing := [name for name in HELD if name not in cgroup2.offered(where)]:
        text = f"each agent has a control group in {where.path}, which lacks controllers: {_looks(missing)}"
        return ok("limits", f"{text}; {remedy}")
    return ok("limits", f"the kernel holds agents within their limits, by control groups in {where.path}")


def _looks(limits: Sequence[str]) -> str:
    return f"daemons themselves hold agents within {', '.join(f'--{name}' for name in limits)}, by looking"


def _emulator() -> Remark:
    if importlib.util.find_spec("pyghostty") is None:
        text = "pyghostty is not installed: screens are text without colours and positions"
        return warning("screens", text, "pip install pyghostty==0.1.3")
    return ok("screens", "the terminal emulator is installed")


def _home(home: Home) -> Iterator[Remark]:
    path = home.path
    try:
        found = path.stat()
    except FileNotFoundError:
        yield ok("home", f"{path} is not there yet: the first command that needs it makes it")
        return
    except OSError as error:
        yield wrong("home", f"{path}: {error.strerror}", "set DESCARTES_HOME to a directory of yours")
        return
    if found.st_uid != os.getuid():
        yield wrong("home", f"{path} belongs to another user", "set DESCARTES_HOME to a directory of yours")
    elif not os.access(path, os.W_OK):
        yield wrong("home", f"{path} cannot be written", f"chmod u+w {shlex.quote(str(path))}, or set DESCARTES_HOME")
    elif stat.S_IMODE(found.st_mode) & 0o077:
        yield warning("home", f"{path} is open to others", f"chmod 700 {shlex.quote(str(path))}")
    else:
        yield ok("home", str(path))
    if home.sockets != home.run:
        yield ok("sockets", f"lie in {home.sockets}, since {home.run} is too deep for a socket's path")


def _token(home: Home) -> Iterator[Remark]:
    path = home.token
    try:
        found = path.stat()
    except FileNotFoundError:
        yield ok("token", "none yet: the first daemon makes it")
        return
    except OSError as error:
        yield wrong("token", f"{path}: {error.strerror}", f"ls -l {shlex.quote(str(path))}")
        return
    if found.st_uid != os.getuid():
        yield wrong("token", f"{path} belongs to another user", f"rm {shlex.quote(str(path))}")
    elif stat.S_IMODE(found.st_mode) & 0o077:
        yield warning("token", f"{path} can be read by others", f"chmod 600 {shlex.quote(str(path))}")
    elif not found.st_size:
        yield warning("token", f"{path} is empty", f"rm {shlex.quote(str(path))}; the next daemon makes another")
    else:
        yield ok("token", "is for your eyes only")


def _configuration(home: Home) -> Remark:
    from descartes_local.config import load  # its models cost 0.1 s

    try:
        load(home)
    except DescartesError as error:
        return wrong("configuration", error.message, "mend the file it names; descartes config check FILE tells more")
    return ok("configuration", "can be read")


def _disk(home: Home) -> Remark:
    room = os.statvfs(home.path)
    free, taken = room.f_bavail * room.f_frsize, taken_by(home.path / "sessions")
    text = f"{amount(free)} free; the sessions' data take {amount(taken)}"
    if free < _LITTLE_ROOM or room.f_favail == 0:
        return wrong("disk", text, "descartes gc --dry-run shows what old output can go; descartes gc removes it")
    return ok("disk", text)
