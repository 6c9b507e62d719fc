"""The programs of the demo: small, real, and not all of them polite."""

from __future__ import annotations

import hashlib
import sys

#: 5 MB of numbered lines, slowly enough (two seconds or so) to be killed in the middle of.
LINES, LINE = 500_000, "%09d\n"
_LOUD = f"""
import sys, time
for first in range(0, {LINES}, 2000):
    sys.stdout.write("".join({LINE!r} % number for number in range(first, first + 2000)))
    sys.stdout.flush()
    time.sleep(0.008)
"""

#: Deaf to TERM and HUP, with a grandchild that has left the session and forked twice, just as deaf.
_DEAF = """
import os, signal, sys, time
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        sys.stdout.write(f"grandchild {os.getpid()}\\n")
        sys.stdout.flush()
        while True:
            time.sleep(60)
    os._exit(0)
os.wait()
sys.stdout.write(f"deaf {os.getpid()}\\n")
sys.stdout.flush()
while True:
    time.sleep(60)
"""

LOUD = [sys.executable, "-c", _LOUD]
DEAF = [sys.executable, "-c", _DEAF]
CODE_THREE = ["sh", "-c", "echo three; exit 3"]
SHELL = ["sh"]


def loud_output() -> tuple[int, str]:
    """Return the length and SHA-256 of what LOUD says, as a terminal passes it on (CR before LF)."""
    digest, length = hashlib.sha256(), 0
    for number in range(LINES):
        line = (LINE % number).replace("\n", "\r\n").encode()
        digest.update(line)
        length += len(line)
    return length, digest.hexdigest()
