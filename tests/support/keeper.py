"""A keeper of one daemon: systemd's contract, and the supervisor's three answers, in one small program.

`python -m tests.support.keeper HOME WORKSPACE SESSION` starts the session's daemon, keeps what it gives, starts it
again when it dies, and ends when it ends in order or when its own standard input does.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import gc
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import Any

from descartes_core.kept import ALL_KEPT
from descartes_local.home import Home
from descartes_local.processes import Process, children_of_self, command_of, environ_of, is_alive, process_of
from descartes_orchestrator.fork_server.loading import load_daemon

_PR_SET_CHILD_SUBREAPER = 36


class Keeper:
    """Holds the doors and what is kept; everything happens in one loop."""

    def __init__(self, home: Path, workspace: Path, session: str) -> None:
        self.home, self.workspace, self.session = Home(home), workspace, session
        self.home.make()
        # Loaded once: each daemon would take half a second to begin.
        self.serve = load_daemon()
        self.selector = selectors.DefaultSelector()
        self.kept: dict[str, int] = {}
        self.daemon = 0
        self.line: socket.socket | None = None
        self.http, self.ws = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
        self.rpc = self._listen(self.home.daemon_socket(session))
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(self.home.notify_socket(session)))
        self.asked = self._listen(self.home.supervisor_socket)
        self.woken, waker = socket.socketpair()
        waker.setblocking(False)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.waker = waker
        for source, then in (
            (self.notify, self.hear),
            (self.asked, self.answer),
            (self.woken, self.reap_daemon),
            (sys.stdin, self.leave),
        ):
            self.selector.register(source, selectors.EVENT_READ, then)

    @staticmethod
    def _listen(path: Path) -> socket.socket:
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(path))
        listening.listen(socket.SOMAXCONN)
        return listening

    def run(self) -> None:
        """Serve until it is over."""
        self.start()
        while True:
            for key, _ in self.selector.select():
                key.data()

    def start(self) -> None:
        """Start the daemon with everything that is kept."""
        passed = {"http": self.http.fileno(), "ws": self.ws.fileno(), "rpc": self.rpc.fileno(), **self.kept}
        self.daemon = os.fork()
        if self.daemon:
            self.say(f"started {self.daemon}")
            return
        # Beyond every target first: a source may be one of them.
        high = [os.dup2(descriptor, 500 + number) for number, descriptor in enumerate(passed.values())]
        for number, descriptor in enumerate(high):
            os.dup2(descriptor, 3 + number, inheritable=True)
        os.closerange(3 + len(high), 4096)
        told = {
            "LISTEN_PID": str(os.getpid()),
            "LISTEN_FDS": str(len(high)),
            "LISTEN_FDNAMES": ":".join(passed),
            "NOTIFY_SOCKET": str(self.home.notify_socket(self.session)),
            "DESCARTES_SUPERVISOR": str(self.home.supervisor_socket),
            "DESCARTES_HOME": str(self.home.path),
        }
        log = os.open(self.home.log / "daemon.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.environ.update(told)
        gc.enable()
        try:
            os._exit(self.serve(["--workdir", str(self.workspace), "--session-id", self.session]))
        finally:
            traceback.print_exc()
            os._exit(1)

    def hear(self) -> None:
        """Take one message of the daemon."""
        data, ancillary, _, _ = self.notify.recvmsg(4096, socket.CMSG_SPACE(16 * 4))
        rights = array.array("i")
        for _, _, payload in ancillary:
            rights.frombytes(payload)
        words = dict(line.split("=", 1) for line in data.decode().split("\n"))
        if "FDSTORE" in words:
            self.kept[words["FDNAME"]] = rights.pop()
        elif "FDSTOREREMOVE" in words and words["FDNAME"] in self.kept:
            os.close(self.kept.pop(words["FDNAME"]))
        elif "READY" in words:
            self.say("ready")
        for descriptor in rights:
            if "BARRIER" in words:
                os.write(descriptor, ALL_KEPT.encode())
            os.close(descriptor)

    def answer(self) -> None:
        """Answer the daemon's calls until it has said all; the line by which it would notice our end stays open."""
        connection, _ = self.asked.accept()
        # Who asked may be killed meanwhile.
        with contextlib.suppress(OSError), connection.makefile("rb") as lines:
            while line := lines.readline():
                call = json.loads(line)
                result = getattr(self, f"answer_{call['method']}")(**call["params"])
                if result == "no answer":
                    connection.sendall(b"[]\n")
                    continue
                connection.sendall(json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": result}).encode() + b"\n")
                if call["method"] == "serving" and result:
                    self.line = connection
                    self.say("watched")
                    return
        connection.close()

    def answer_ping(self) -> dict[str, Any]:
        """Be there."""
        return {"pid": os.getpid(), "version": "1"}

    def answer_serving(self, id: str) -> Any:
        """Know the daemon; a keeper that is told to be strange says nonsense at first."""
        if (strange := os.environ.pop("KEEPER_IS_STRANGE", None)) is not None:
            return json.loads(strange)
        return {"known": id == self.session}

    def answer_exit_status(self, pid: int, started: int) -> dict[str, Any]:
        """Tell how a child ended, without reaping it."""
        unknown = {"ended": not is_alive(Process(pid, started)), "known": False, "exit_code": None, "signal": None}
        if process_of(pid) != Process(pid, started):
            return unknown
        try:
            found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
        except ChildProcessError:
            return unknown
        if found is None:
            return unknown
        if found.si_code == os.CLD_EXITED:
            return {**unknown, "known": True, "exit_code": found.si_status}
        return {**unknown, "known": True, "signal": signal.Signals(found.si_status).name}

    def answer_committed(self, pid: int, started: int) -> dict[str, Any]:
        """Reap what is stored."""
        if process_of(pid) == Process(pid, started):
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG)
        return {}

    def answer_orphans(self, session_id: str) -> dict[str, Any]:
        """Tell of children without a mark."""
        found = [process_of(pid) for pid in children_of_self() if pid != self.daemon]
        left = [process for process in found if process and is_alive(process)]
        unmarked = [process for process in left if b"DESCARTES_AGENT_ID=" not in environ_of(process.pid)]
        return {
            "processes": [
                {"pid": process.pid, "started": process.started, "command": command_of(process.pid)}
                for process in unmarked
            ]
        }

    def reap_daemon(self) -> None:
        """Start the daemon again when it has died; end when it has ended."""
        self.woken.recv(1000)
        pid, status = os.waitpid(self.daemon, os.WNOHANG)
        if not pid:
            return
        # What it told before it died comes first.
        self.notify.setblocking(False)
        try:
            while True:
                self.hear()
        except BlockingIOError:
            self.notify.setblocking(True)
        self.say(f"ended {os.waitstatus_to_exitcode(status)}")
        if os.WIFSIGNALED(status):
            self.start()
        else:
            self.say(f"kept {' '.join(sorted(self.kept))}")
            self.leave()

    def leave(self) -> None:
        """End, with everybody below."""
        for pid in children_of_self():
            os.kill(pid, signal.SIGKILL)
        for path in (
            self.home.daemon_socket(self.session),
            self.home.notify_socket(self.session),
            self.home.supervisor_socket,
            self.home.run_file(self.session),
        ):
            path.unlink(missing_ok=True)
        sys.exit(0)

    def say(self, line: str) -> None:
        """Tell whoever started this."""
        print(line, flush=True)


if __name__ == "__main__":
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    Keeper(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]).run()
