"""An agent in raw mode that tells each read as it came; with `paste` it asks for brackets; its echo comes late."""

from __future__ import annotations

import os
import select
import sys
import tty

LATE = 0.25

tty.setraw(0)
if "paste" in sys.argv[1:]:
    os.write(1, b"\x1b[?2004h")
os.write(1, b"ready\r\n")
while (keys := os.read(0, 65536)) != b"q":
    if len(keys) > 1:
        select.select([], [], [], LATE)
    os.write(1, f"read {keys!r}\r\n".encode())
