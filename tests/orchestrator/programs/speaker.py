"""A program that speaks a daemon's contract and does what it is told at its first socket.

DESCARTES_TEST_MANNER at its start: fail (ends with 3 after eight lines), mute (is never ready), brief (ends with 1 as
soon as it is ready), deaf (does not hear TERM).
"""

from __future__ import annotations

import array
import itertools
import json
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

FIRST = 3
MANNER = os.environ.get("DESCARTES_TEST_MANNER", "")
NAMES = os.environ["LISTEN_FDNAMES"].split(":")
MORE = (os.environ.get(f"LISTEN_FDNAMES_{number}") for number in itertools.count(2))
NAMES += [name for more in itertools.takewhile(bool, MORE) for name in str(more).split(":")]
#: What was given into keeping stays open here too.
SPAWNED: list[subprocess.Popen[bytes]] = []
assert int(os.environ["LISTEN_PID"]) == os.getpid()
assert int(os.environ["LISTEN_FDS"]) == len(NAMES)


def tell(*lines: str, descriptors: tuple[int, ...] = (), to: str = os.environ["NOTIFY_SOCKET"]) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.connect(to)
        rights = array.array("i", descriptors).tobytes()
        notify.sendmsg(["\n".join(lines).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if rights else [])


def barrier() -> str:
    """Return what is said to all that was told before."""
    ours, theirs = os.pipe()
    tell("BARRIER=1", descriptors=(theirs,))
    os.close(theirs)
    word = os.read(ours, 4096).decode() if select.select([ours], [], [], 10.0)[0] else "nothing"
    os.close(ours)
    return word


def keep(name: str, text: str) -> str:
    """Keep the reading end of a pipe that holds a text; the writing end under another name, or the text would end."""
    reading, writing = os.pipe()
    os.write(writing, text.encode())
    tell("FDSTORE=1", f"FDNAME={name}", descriptors=(reading,))
    tell("FDSTORE=1", f"FDNAME={name}-end", descriptors=(writing,))
    return barrier()


def keep_many(count: str) -> str:
    for number in range(int(count)):
        tell("FDSTORE=1", f"FDNAME=many-{number}-{'x' * 200}", descriptors=(0,))
    return barrier()


def recall(name: str) -> str:
    return os.read(FIRST + NAMES.index(name), 1000).decode()


def spawn(agent: str, *words: str) -> str:
    """Start a program as an agent: its pidfd is kept."""
    program = subprocess.Popen([sys.executable, "-I", "-S", *words], stdin=subprocess.PIPE, start_new_session=True)
    assert program.stdin is not None
    SPAWNED.append(program)
    tell("FDSTORE=1", f"FDNAME=agent-{agent}-pid", descriptors=(os.pidfd_open(program.pid),))
    tell("FDSTORE=1", f"FDNAME=agent-{agent}-in", descriptors=(program.stdin.fileno(),))
    barrier()
    started = Path(f"/proc/{program.pid}/stat").read_text().rpartition(")")[2].split()[19]
    program.returncode = 0  # nobody here waits for it
    return f"{program.pid} {started}"


def forget(*names: str) -> str:
    for name in names:
        tell("FDSTOREREMOVE=1", f"FDNAME={name}")
    barrier()
    return "forgotten"


def stranger(text: str) -> str:
    """Let a child of ours say something to the supervisor."""
    child = os.fork()
    if child == 0:
        tell(text)
        os._exit(0)
    os.waitpid(child, 0)
    barrier()
    return "told"


def intrude(to: str, *lines: str) -> str:
    """Say something in another session's name, and give it something of ours."""
    tell(*lines, descriptors=(0,), to=to)
    return "told"


def commit(pid: str, started: str) -> str:
    """Tell the supervisor that an agent's ending is stored."""
    params = {"pid": int(pid), "started": int(started)}
    with socket.socket(socket.AF_UNIX) as asked:
        asked.connect(os.environ["DESCARTES_SUPERVISOR"])
        call = {"jsonrpc": "2.0", "id": 1, "method": "committed", "params": params}
        asked.sendall(json.dumps(call).encode() + b"\n")
        return asked.makefile().readline()


def say_raw(text: str) -> str:
    """Say these very bytes, in hexadecimal."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.connect(os.environ["NOTIFY_SOCKET"])
        notify.send(bytes.fromhex(text))
    return "said"


def say(*lines: str) -> str:
    tell(*lines)
    return barrier()


def leave(*lines: str) -> str:
    tell(*lines)
    os._exit(0)


DOES = {
    "pid": lambda: str(os.getpid()),
    "names": lambda: ":".join(NAMES),
    "environment": lambda: "\n".join(sorted(os.environ)),
    "descriptors": lambda: " ".join(sorted(os.listdir("/proc/self/fd"), key=int)),
    "keep": keep,
    "keep_many": keep_many,
    "count": lambda: str(len(NAMES)),
    "recall": recall,
    "spawn": spawn,
    "forget": forget,
    "stranger": stranger,
    "intrude": intrude,
    "say_raw": say_raw,
    "commit": commit,
    "tell": say,
    "leave": leave,
    "die": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "exit": lambda code: os._exit(int(code)),
}


def serve() -> None:
    listener = socket.socket(fileno=FIRST)
    while True:
        connection, _ = listener.accept()
        with connection, connection.makefile("r") as lines:
            line = lines.readline()
            verb, *words = line.rstrip("\n").split("\t")
            if verb in DOES:  # others knock at any port
                connection.sendall(str(DOES[verb](*words)).encode())


def main() -> None:
    if MANNER == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: leave("STOPPING=1"))
    if MANNER == "fail":
        for number in range(1, 9):
            print(f"line {number}", file=sys.stderr)
        sys.exit(3)
    if MANNER == "mute":
        signal.pause()
    tell("READY=1", "STATUS=speaking")
    if MANNER == "brief":
        sys.exit(1)
    serve()


main()
