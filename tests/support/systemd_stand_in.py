"""A stand-in for systemd: one service, its sockets and its descriptor store, as the manuals have it.

`python -m tests.support.systemd_stand_in HOME WORKSPACE SESSION OPTIONS` is the service manager of one daemon:
sd_listen_fds(3), sd_notify(3), systemd.service(5) with Type=notify, NotifyAccess=main, KillMode=process,
Restart=on-failure and RestartSec=0. On its standard input it reads `stop` and `start`, line by line; its end is ours.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import struct
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from descartes_local.home import Home
from descartes_local.processes import children_of_self
from descartes_local.subreaper import become_subreaper
from tests.support.programs import installed

_KCMP = {"x86_64": 312, "aarch64": 272}[os.uname().machine]
_CREDENTIALS = struct.Struct("3i")
#: What systemd ends a service with whose program cannot be executed.
_EXIT_EXEC = 203
_FIRST = 3


@dataclass(frozen=True, slots=True)
class Options:
    """What the units say."""

    #: FileDescriptorStoreMax=
    store_max: int = 64
    #: FileDescriptorName= of the http, ws and rpc sockets: one unit's sockets are all called alike.
    names: str = "shop.socket:shop.socket:shop.socket"
    #: FDSTORE is told, as systemd does from 254 on.
    tells_store: bool = True
    #: FileDescriptorStorePreserve=yes
    preserves: bool = False
    #: RestartSec= is longer than any test: `start` ends it.
    waits: bool = False

    def words(self, home: Path, workspace: Path, session: str) -> list[str]:
        """Return the command that runs a manager with these."""
        words = [sys.executable, "-m", "tests.support.systemd_stand_in", str(home), str(workspace), session]
        return [*words, json.dumps(asdict(self))]


@dataclass(frozen=True, slots=True)
class Stored:
    """One descriptor in the store."""

    name: str
    descriptor: int


class Service:
    """The daemon's unit; everything happens in one loop."""

    def __init__(self, home: Path, workspace: Path, session: str, options: Options) -> None:
        self.home, self.workspace, self.session, self.options = Home(home), workspace, session, options
        self.home.make()
        self.sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        self.sockets.append(socket.socket(socket.AF_UNIX))
        self.sockets[-1].bind(str(self.home.daemon_socket(session)))
        self.sockets[-1].listen(socket.SOMAXCONN)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.notify.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.notify.bind(str(self.home.notify_socket(session)))
        #: The newest first, as systemd has them.
        self.store: list[Stored] = []
        self.main, self.is_stopping = 0, False
        self.woken, self.waker = socket.socketpair()
        for end in (self.woken, self.waker):
            end.setblocking(False)
        signal.set_wakeup_fd(self.waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.epoll = select.epoll()
        for source in (self.notify.fileno(), self.woken.fileno(), sys.stdin.fileno()):
            self.epoll.register(source, select.EPOLLIN)

    def run(self) -> None:
        """Serve until it is over."""
        self.start()
        while True:
            for descriptor, _ in self.epoll.poll():
                if descriptor == self.notify.fileno():
                    self.hear_all()
                elif descriptor == self.woken.fileno():
                    self.reap()
                elif descriptor == sys.stdin.fileno():
                    self.obey(os.read(descriptor, 100).decode().split())
                else:  # EPOLLHUP or EPOLLERR: what is polled is dropped
                    self.drop([one for one in self.store if one.descriptor == descriptor])

    def obey(self, words: Sequence[str]) -> None:
        """Do what systemctl asks."""
        if not words:
            self.leave()
        for word in words:
            if word == "start" and not self.main:
                self.is_stopping = False
                self.start()
            elif word == "stop" and self.main:
                self.is_stopping = True
                os.kill(self.main, signal.SIGTERM)  # KillMode=process

    # Starting and ending.

    def start(self) -> None:
        """Start the daemon with its sockets, and behind them what is stored."""
        passed = [*(one.fileno() for one in self.sockets), *(stored.descriptor for stored in self.store)]
        names = ":".join([self.options.names, *(stored.name for stored in self.store)])
        self.main = os.fork()
        if self.main:
            self.say(f"started {self.main}")
            return
        try:
            # Beyond every target first: a source may be one of them.
            high = [os.dup2(descriptor, 3000 + number) for number, descriptor in enumerate(passed)]
            for number, descriptor in enumerate(high):
                os.dup2(descriptor, _FIRST + number, inheritable=True)
            os.closerange(_FIRST + len(high), 2**31 - 1)
            log = os.open(self.home.log / "journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.setsid()
            os.chdir("/")
            told = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(passed)), "LISTEN_FDNAMES": names}
            program = installed("descartes-daemon")
            words = [str(program), f"--workdir={self.workspace}", f"--session-id={self.session}"]
            os.execve(words[0], words, {**os.environ, **self.told(), **told})
        finally:
            os._exit(_EXIT_EXEC)

    def told(self) -> dict[str, str]:
        """Return what the service finds in its environment."""
        room = {"FDSTORE": str(self.options.store_max)} if self.options.tells_store and self.options.store_max else {}
        return {
            "NOTIFY_SOCKET": str(self.home.notify_socket(self.session)),
            "INVOCATION_ID": "0" * 32,
            "SYSTEMD_EXEC_PID": str(os.getpid()),
            **room,
        }

    def reap(self) -> None:
        """Reap every child that has ended, whosever it was; start the daemon again when it failed."""
        with contextlib.suppress(BlockingIOError):
            self.woken.recv(1000)
        self.hear_all()  # what it told before it died comes first
        ended = None
        while children_of_self():
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            if pid == self.main:
                ended = os.waitstatus_to_exitcode(status)
        if ended is None:
            return
        self.main = 0
        self.say(f"ended {ended}")
        if ended != 0 and not self.is_stopping:
            if not self.options.waits:
                self.start()
            return
        if not self.options.preserves:
            self.drop(self.store)
        self.say(f"kept {' '.join(sorted(stored.name for stored in self.store))}")
        if not self.options.preserves:
            self.leave()

    def leave(self) -> None:
        """End, with everybody below."""
        for pid in children_of_self():
            os.kill(pid, signal.SIGKILL)
        for path in (
            self.home.daemon_socket(self.session),
            self.home.notify_socket(self.session),
            self.home.run_file(self.session),
        ):
            path.unlink(missing_ok=True)
        sys.exit(0)

    # The notify socket.

    def hear_all(self) -> None:
        """Take every message that has come."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self.hear()

    def hear(self) -> None:
        """Take one message; what not the main process sent is dropped."""
        room = socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(4 * 253)
        data, ancillary, _, _ = self.notify.recvmsg(4096, room)
        pid, descriptors = 0, array.array("i")
        for _, kind, payload in ancillary:
            if kind == socket.SCM_RIGHTS:
                descriptors.frombytes(payload)
            elif kind == socket.SCM_CREDENTIALS:
                pid = _CREDENTIALS.unpack(payload)[0]
        tags = data.decode().split("\n")
        taken = self.take(tags, list(descriptors)) if pid == self.main and tags != ["BARRIER=1"] else []
        for descriptor in set(descriptors) - set(taken):
            os.close(descriptor)  # a barrier's too, which is its answer

    def take(self, tags: Sequence[str], descriptors: Sequence[int]) -> list[int]:
        """Do what a message says; return which descriptors stay open."""
        name = next((tag.partition("=")[2] for tag in tags if tag.startswith("FDNAME=")), "stored")
        if "READY=1" in tags:
            self.say("ready")
        if "FDSTOREREMOVE=1" in tags:
            self.drop([stored for stored in self.store if stored.name == name])
        if "FDSTORE=1" not in tags:
            return []
        return [one for one in descriptors if self.keep(name, one, polls="FDPOLL=0" not in tags)]

    def keep(self, name: str, descriptor: int, *, polls: bool) -> bool:
        """Store one, unless the store is full or has it already; nobody is told."""
        if len(self.store) >= self.options.store_max or any(same(one.descriptor, descriptor) for one in self.store):
            return False
        self.store.insert(0, Stored(name, descriptor))
        if polls:
            with contextlib.suppress(PermissionError):  # what cannot be polled stays
                self.epoll.register(descriptor, 0)
        return True

    def drop(self, stored: list[Stored]) -> None:
        """Close these."""
        for one in list(stored):
            self.store.remove(one)
            os.close(one.descriptor)

    def say(self, line: str) -> None:
        """Tell whoever started this."""
        print(line, flush=True)


def same(one: int, other: int) -> bool:
    """Say whether two descriptors mean the same open file."""
    return ctypes.CDLL(None).syscall(_KCMP, os.getpid(), os.getpid(), 0, one, other) == 0


if __name__ == "__main__":
    become_subreaper()
    Service(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], Options(**json.loads(sys.argv[4]))).run()
