"""An agent that closes its terminal, opens it again, and leaves a writer behind."""

from __future__ import annotations

import os
import select
import signal
import sys

CODE = 5


def write_after_the_end(leader: int) -> None:
    """Say one more line once the leader is gone."""
    select.select([leader], [], [])
    os.write(1, b"after the end\n")


# Before the fork: the leader's end sends HUP, and makes somebody else the parent.
for number in (signal.SIGHUP, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
itself = os.pidfd_open(os.getpid())
os.write(1, b"before\n")
for descriptor in (0, 1, 2):
    os.close(descriptor)
terminal = os.open("/dev/tty", os.O_RDWR)
for descriptor in (0, 1, 2):
    os.dup2(terminal, descriptor)
os.write(1, b"again\n")
if os.fork() == 0:
    write_after_the_end(itself)
    os._exit(0)
sys.exit(CODE)
