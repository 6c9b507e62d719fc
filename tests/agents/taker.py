"""An agent that takes known amounts of time, memory, bytes, and stays until its input ends."""

from __future__ import annotations

import argparse
import os
import sys
import time

words = argparse.ArgumentParser()
words.add_argument("--seconds", type=float, default=0.0, help="of processor time")
words.add_argument("--memory", type=int, default=0, help="MiB")
words.add_argument("--written", type=int, default=0, help="MiB")
words.add_argument("--in", dest="place", default="", help="a file to be written")
words.add_argument("--detached", action="store_true", help="the time is spent by one that is forked twice and ends")
options = words.parse_args()


def spend() -> None:
    """Spend processor time."""
    until = time.process_time() + options.seconds
    while time.process_time() < until:
        pass


if options.detached:
    reading, writing = os.pipe()
    if os.fork() == 0:
        if os.fork() == 0:
            spend()
            os.write(writing, b".")
        os._exit(0)
    os.wait()
    os.read(reading, 1)
else:
    spend()
kept = b"x" * (options.memory << 20)
if options.written:
    with open(options.place, "wb") as file:
        file.write(b"x" * (options.written << 20))
print("taken", flush=True)
sys.stdin.read()
