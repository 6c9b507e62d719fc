"""The fork server's loop: one request, one daemon, one answer; it ends with the supervisor."""

from __future__ import annotations

import os
import socket
import sys

from setproctitle import setproctitle

from descartes_local.code_stamp import loaded_stamp
from descartes_local.probe import reached
from descartes_orchestrator.fork_server.child import Main, fork_daemon
from descartes_orchestrator.fork_server.loading import load_daemon
from descartes_orchestrator.fork_server.wire import Garbled, Request, receive_request, send_answer
from descartes_orchestrator.handing_over import FIRST

TITLE = "descartes-forkserver"


def serve() -> None:
    """Load a daemon's code, say so, and fork a daemon for each request until nobody will ask any more."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        sys.exit("the fork server is started by the supervisor")
    setproctitle(TITLE)
    channel = socket.socket(fileno=FIRST)
    # Before the imports: who changes the code meanwhile makes it another one's.
    stamp = loaded_stamp()
    main = load_daemon()
    try:
        send_answer(channel, ready=True, stamp=stamp)
        while (request := receive_request(channel)) is not None:
            _answer(channel, request, main)
    except (Garbled, OSError) as error:
        sys.exit(f"the fork server ends: {error}")


def _answer(channel: socket.socket, request: Request, main: Main) -> None:
    reached("fork_server.asked")
    try:
        fork_daemon(request, main, lambda pid: send_answer(channel, pid=pid))
    except OSError as error:
        send_answer(channel, error=str(error))
