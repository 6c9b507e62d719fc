"""An agent that is slow to start, to speak and to end."""

from __future__ import annotations

import argparse
import signal
import sys
import time

words = argparse.ArgumentParser()
words.add_argument("--start", type=float, default=0.5, help="seconds before the first word")
words.add_argument("--every", type=float, default=0.2, help="seconds between two lines")
words.add_argument("--lines", type=int, default=1_000_000)
words.add_argument("--end", type=float, default=0.3, help="seconds between TERM and the end")
words.add_argument("--code", type=int, default=0)
options = words.parse_args()


def end(*_: object) -> None:
    print("ending", flush=True)
    time.sleep(options.end)
    sys.exit(options.code)


signal.signal(signal.SIGTERM, end)
time.sleep(options.start)
for number in range(options.lines):
    print(f"line {number}", flush=True)
    time.sleep(options.every)
sys.exit(options.code)
