"""An agent that repeats each line it is told; `exit N` ends it."""

from __future__ import annotations

import sys

print("ready", flush=True)
for line in sys.stdin:
    words = line.split()
    if words[:1] == ["exit"]:
        sys.exit(int(words[1]) if len(words) > 1 else 0)
    print(f"heard: {line.rstrip()}", flush=True)
