"""Named moments that a test can wait for, or hold."""

from __future__ import annotations

import os
import socket


def reached(moment: str) -> None:
    """Tell the test harness that the program came this far, and go on when it says so.

    Without `DESCARTES_PROBE` (the path of a Unix socket) this does nothing. The harness reads one line and answers
    with one byte; while it holds the answer back, the program stands still here.
    """
    path = os.environ.get("DESCARTES_PROBE")  # each time: a process that was forked has another environment
    if path is None:
        return
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(path)
            connection.sendall(f"{os.getpid()} {moment}\n".encode())
            connection.recv(1)
        except OSError:
            return  # the harness is gone: nobody waits for this moment any more
