"""Control groups of Linux (cgroup v2): where ours lies, and what can be done below it.

Below the group that we were started in lies `descartes`, in it one group a session, in that one group an agent; and
`daemons`, into which we ourselves move where controllers are to be switched on: a group that passes controllers on to
its children may hold no processes of its own. Where a unit starts us in a group `daemons` of its own
(`DelegateSubgroup=daemons`), `descartes` lies beside it.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from descartes_core.limits import HELD, Limits

#: The group below the one we were started in, and in it the one of those that serve.
OURS, SERVING = "descartes", "daemons"
#: Which controller holds which limit.
CONTROLLERS: Mapping[str, str] = {"memory": "memory", "cpus": "cpu", "pids": "pids"}
#: Microseconds: the time in which an agent may use its share of the processors.
_PERIOD = 100_000
#: Links of a directory that has none below it: looking into it would cost three times as much.
_NO_CHILDREN = 2
#: How often a directory is made that somebody else removes as empty at the same moment.
_TRIES = 5
#: The outermost of ours, a session in it, an agent in that.
_OF_AN_AGENT = re.compile(rf"(/.*?/{OURS})/([0-9a-f-]{{36}})/[0-9a-f-]{{36}}/")
#: An attribute of the group's directory.
_COUNTED = "user.descartes.memory"
_OCTAL = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Cgroup:
    """One group: a directory whose files are the kernel's."""

    path: Path

    @property
    def is_there(self) -> bool:
        """Whether the group exists."""
        return (self.path / "cgroup.procs").exists()

    @property
    def controllers(self) -> frozenset[str]:
        """Which controllers its children may be given."""
        return frozenset(_read(self.path / "cgroup.controllers").split())

    @property
    def passed_on(self) -> frozenset[str]:
        """Which controllers its children have."""
        return frozenset(_read(self.path / "cgroup.subtree_control").split())

    def make(self) -> None:
        """Make it, with all above it.

        Raises:
            OSError: it may not be made here.

        """
        for attempt in range(_TRIES):
            try:
                self.path.mkdir(parents=True, exist_ok=True)
            except FileNotFoundError:  # the one above was removed as empty just then
                if attempt == _TRIES - 1:
                    raise
            else:
                return

    def pass_on(self, controllers: Collection[str]) -> None:
        """Give its children these controllers.

        Raises:
            OSError: EBUSY where it has processes itself.

        """
        if missing := sorted(set(controllers) - self.passed_on):
            _write(self.path / "cgroup.subtree_control", " ".join(f"+{name}" for name in missing))

    def take_in(self, pid: int) -> None:
        """Move a process here; 0 means the caller's own.

        Raises:
            OSError: it may not be moved.

        """
        _write(self.path / "cgroup.procs", str(pid))

    def limit(self, limits: Limits) -> frozenset[str]:
        """Set what the kernel can hold here; return which of them (limits.HELD) it holds."""
        texts = _texts(limits)
        return frozenset(name for name in limits.to_hold if self._set(texts[name]))

    def _set(self, files: Mapping[str, str]) -> bool:
        (first, text), *more = files.items()
        try:
            _write(self.path / first, text)
        except OSError:
            return False
        for name, also in more:  # without swap there is nothing to be set
            with contextlib.suppress(OSError):
                _write(self.path / name, also)
        return True

    def pids(self) -> list[int]:
        """Return who is in it, also in groups that somebody made below it."""
        return [pid for path in self._with_all_below() for pid in map(int, _read(path / "cgroup.procs").split())]

    def _with_all_below(self) -> Iterator[Path]:
        yield self.path
        with contextlib.suppress(OSError):
            if self.path.stat().st_nlink == _NO_CHILDREN:
                return
            for directory, below, _ in os.walk(self.path):
                yield from (Path(directory, name) for name in below)

    def kill(self) -> bool:
        """Kill all of it at once, whatever it forks meanwhile; say whether the kernel can (from 5.14 on)."""
        try:
            _write(self.path / "cgroup.kill", "1")
        except OSError:
            return False
        return True

    def remove(self) -> bool:
        """Remove it, and what was made below it, where nobody is left in it; say whether it is gone."""
        for path in sorted(self._with_all_below(), reverse=True):
            try:
                path.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                return False
        return True

    def note_memory(self) -> None:
        """Remember in the group that it counts memory from its first process on: a later controller misses the rest."""
        if sys.platform == "linux" and (self.path / "memory.peak").exists():
            with contextlib.suppress(OSError):
                os.setxattr(self.path, _COUNTED, b"1")

    @property
    def counts_memory(self) -> bool:
        """Whether all memory of its processes was counted here."""
        with contextlib.suppress(OSError):
            return sys.platform == "linux" and os.getxattr(self.path, _COUNTED) == b"1"
        return False

    def count(self, file: str, key: str) -> int:
        """Return how often something happened here, as memory.events and pids.events tell; 0 where nobody counts."""
        words = _read(self.path / file).split()
        return next((int(count) for name, count in zip(words[::2], words[1::2], strict=False) if name == key), 0)

    def number(self, file: str) -> int | None:
        """Return the number that a file holds; None where its controller is not ours."""
        text = _read(self.path / file).strip()
        return int(text) if text.isdigit() else None

    def bytes_moved(self) -> tuple[int, int] | None:
        """Return how many bytes came from block devices and went to them; None where nobody counts."""
        if not (text := _read(self.path / "io.stat")):
            return None
        read, written = (sum(map(int, re.findall(rf"\b{key}=([0-9]+)", text))) for key in ("rbytes", "wbytes"))
        return read, written


def _texts(limits: Limits) -> dict[str, dict[str, str]]:
    """Return what is to be written where, by limit; what comes first must be possible."""
    # The kernel takes no share of a processor below a hundredth.
    quota = max(round((limits.cpus or 0.0) * _PERIOD), _PERIOD // 100)
    return {
        "memory": {"memory.max": str(limits.memory), "memory.oom.group": "1", "memory.swap.max": "0"},
        "cpus": {"cpu.max": f"{quota} {_PERIOD}"},
        "pids": {"pids.max": str(limits.pids)},
    }


def own(proc: Path = Path("/proc")) -> Cgroup | None:
    """Return the group this process is in; None where there is no cgroup v2, or it lies outside of what we see."""
    return of_process("self", proc)


def of_process(pid: int | str, proc: Path = Path("/proc")) -> Cgroup | None:
    """Return the group a process is in, None where that cannot be said."""
    try:
        lines = (proc / str(pid) / "cgroup").read_bytes().splitlines()
        mounts = (proc / "self" / "mountinfo").read_bytes().splitlines()
    except OSError:
        return None
    inside = next((os.fsdecode(line[3:]) for line in lines if line.startswith(b"0::/")), None)
    if inside is None or inside.startswith("/.."):
        return None
    for root, point in _mounts(mounts):
        if root == "/" or inside == root or inside.startswith(root + "/"):
            beneath = inside if root == "/" else inside[len(root) :]
            return Cgroup(Path(point + beneath.rstrip("/")))
    return None


def _mounts(lines: Collection[bytes]) -> Iterator[tuple[str, str]]:
    """Walk over where cgroup v2 is mounted: which group, and at which directory."""
    for line in lines:
        before, _, after = line.partition(b" - ")
        if after.startswith(b"cgroup2 "):
            root, point = before.split(b" ")[3:5]
            yield _plain(root), _plain(point).rstrip("/")


def _plain(text: bytes) -> str:
    return os.fsdecode(_OCTAL.sub(lambda found: bytes([int(found[1], 8)]), text))


def base_of(group: Cgroup) -> Cgroup:
    """Return where our groups lie, as seen from the group we were started in."""
    if is_serving(group):
        return Cgroup(group.path.parent)
    start = group.path.parent if group.path.name == SERVING else group.path
    return Cgroup(start / OURS)


def is_serving(group: Cgroup) -> bool:
    """Say whether a group is that of supervisors and daemons, where these have a group of their own."""
    return group.path.name == SERVING and group.path.parent.name == OURS


def leave_agents(proc: Path = Path("/proc")) -> None:
    """Leave the group of an agent: what serves many must not end with the one whose program started it."""
    if (group := own(proc)) is None:
        return
    if (found := _OF_AN_AGENT.match(str(group.path) + "/")) is not None:
        serving = Cgroup(Path(found[1]) / SERVING)
        with contextlib.suppress(OSError):
            serving.make()
            serving.take_in(0)


def sweep(base: Cgroup, before: float) -> None:
    """Remove the groups of agents that were made before a time (Unix seconds) and hold nobody: a kill left them."""
    for session in _below(base.path):
        for agent in _below(session):
            if _made(agent) < before:
                Cgroup(agent).remove()
        if _made(session) < before:
            with contextlib.suppress(OSError):  # somebody is in it
                session.rmdir()


def _below(path: Path) -> list[Path]:
    try:
        return [entry for entry in path.iterdir() if entry.is_dir()]
    except OSError:
        return []


def _made(path: Path) -> float:
    """Return when a group was made, or later: the kernel may have forgotten it."""
    try:
        return path.stat().st_mtime
    except OSError:
        return math.inf


def session_of(pid: int, proc: Path = Path("/proc")) -> str | None:
    """Return the session in one of whose agents' groups a process is, None where it is in none."""
    group = of_process(pid, proc)
    found = None if group is None else _OF_AN_AGENT.match(f"{group.path}/")
    return None if found is None else found[2]


def offered(group: Cgroup) -> frozenset[str]:
    """Return which limits (limits.HELD) the kernel could hold below a group."""
    return frozenset(name for name in HELD if CONTROLLERS[name] in group.controllers)


def may_make(group: Cgroup) -> bool:
    """Say whether this user may make groups below a group, and move processes into them."""
    return os.access(group.path, os.W_OK) and os.access(group.path / "cgroup.procs", os.W_OK)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _write(path: Path, text: str) -> None:
    # Without O_CREAT: what is not there is not to be made up.
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
