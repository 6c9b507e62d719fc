"""An agent that ends at the very moment another process does: with last words and a code."""

from __future__ import annotations

import os
import select
import sys

pid, code = int(sys.argv[1]), int(sys.argv[2])
try:
    descriptor = os.pidfd_open(pid)
except ProcessLookupError:
    descriptor = -1
print("ready", flush=True)
if descriptor >= 0:
    select.select([descriptor], [], [])
print("it is gone", flush=True)
sys.exit(code)
