"""A daemon that outlived its supervisor: `survivor.py HOME SESSION WHAT…` hands over what it is told, and waits.

http, ws and rpc are its doors, http=rpc is another of them by that name, line its connection; anything else is a
descriptor by that name. With still it stands still once it has begun, until it hears a line. On each further line it
asks the supervisor for its pid, or hands over again.
"""

from __future__ import annotations

import array
import os
import socket
import sys
from pathlib import Path

from descartes_core.errors import DescartesError
from descartes_local.home import Home
from descartes_local.processes import process_of
from descartes_local.rpc_client import Connection

home, session, whole = Home(Path(sys.argv[1])), sys.argv[2], sys.argv[3:]
me = process_of(os.getpid())
assert me is not None
sockets = {name: socket.create_server(("127.0.0.1", 0)) for name in ("http", "ws")}
sockets["rpc"] = socket.socket(socket.AF_UNIX)
sockets["rpc"].bind(str(home.daemon_socket(session)))
sockets["rpc"].listen()
line = Connection(home.supervisor_socket)
sockets["line"] = line.socket


def give(notify: socket.socket, name: str, descriptor: int) -> None:
    rights = array.array("i", [descriptor]).tobytes()
    notify.sendmsg([f"FDSTORE=1\nFDNAME={name}".encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])


def hand_over() -> str:
    ports = [sockets[name].getsockname()[1] for name in ("http", "ws")]
    facts = {"id": session, "name": "shop", "path": str(home.path), "ports": ports, "env": {}}
    line.call("hand_over", {**facts, "pid": me.pid, "started": me.started})
    if "still" in whole:
        whole.remove("still")
        print("begun", flush=True)
        sys.stdin.readline()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.connect(str(home.notify_socket(session)))
        for name, _, other in (what.partition("=") for what in whole):
            if name in sockets:
                give(notify, name, sockets[other or name].fileno())
            else:
                give(notify, name, os.open(os.devnull, os.O_RDONLY))
        ours, theirs = os.pipe()
        notify.sendmsg([b"BARRIER=1"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [theirs]).tobytes())])
        os.close(theirs)
        os.read(ours, 100)
    line.call("handed_over", {"id": session})
    return "handed over"


try:
    print(hand_over(), flush=True)
except DescartesError as error:
    print(error.message, flush=True)
except OSError as error:
    print(error.strerror, flush=True)
for word in sys.stdin:
    try:
        print(hand_over() if word == "again\n" else line.call("ping")["pid"], flush=True)
    except DescartesError as error:
        print(error.message, flush=True)
