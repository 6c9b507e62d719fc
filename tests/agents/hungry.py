"""An agent that takes: memory, processes, or both, and then stays; it says `ready` before it begins.

Memory comes in pieces of 16 MiB, so that who watches may be quicker; processes are bounded, whatever happens.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys

words = argparse.ArgumentParser()
words.add_argument("--memory", type=int, default=0, help="MiB")
words.add_argument("--processes", type=int, default=0, help="at most 300")
words.add_argument("--cleared", action="store_true", help="processes are forked twice and shed every mark")
words.add_argument("--called", default="", help="by which a test finds them")
options = words.parse_args()


def stay() -> None:
    """Wait for a signal."""
    while True:
        signal.pause()


print("ready", flush=True)
for _ in range(min(options.processes, 300)):
    if os.fork() == 0:
        if options.cleared:
            os.setsid()
            if os.fork() != 0:
                os._exit(0)
            os.execve(sys.executable, [sys.executable, "-I", "-S", __file__, "--called", options.called], {})
        stay()
kept = [b"x" * (16 << 20) for _ in range(options.memory // 16)]
stay()
