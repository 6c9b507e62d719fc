"""An agent that does not hear HUP, TERM and INT."""

from __future__ import annotations

import os
import signal

for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
print(f"ready {os.getpid()}", flush=True)
while True:
    signal.pause()
