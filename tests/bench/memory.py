"""What a daemon with ten agents keeps in memory, before anybody looks at a screen."""

from __future__ import annotations

import subprocess
import sys

from tests.bench.figures import Figure
from tests.bench.ground import pss_of, running_session

AGENTS = 10
#: What any daemon of this kind has loaded.
LIBRARIES = "asyncio, aiosqlite, pydantic, starlette.applications, uvicorn, uvicorn.protocols.http.h11_impl, websockets"
_SHOW = "print(open('/proc/self/smaps_rollup').read())"


def measure() -> list[Figure]:
    """Look at a daemon, and at an interpreter that has imported its libraries and does nothing."""
    with running_session() as ground:
        ground.fill(AGENTS)
        daemon, proportional = _resident_of(ground.daemon.pid), pss_of(ground.daemon.pid)
    command = [sys.executable, "-c", f"import {LIBRARIES}; {_SHOW}"]
    bare = _resident(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return [
        Figure(
            f"daemon with {AGENTS} agents, resident",
            f"{daemon:.1f} MB ({proportional:.1f} MB proportional)",
            f"its libraries alone {bare:.1f} MB",
            "≤ 45 MB",
            f"{daemon - bare:+.1f} MB",
        )
    ]


def _resident_of(pid: int) -> float:
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return _resident(file.read())


def _resident(rollup: str) -> float:
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Rss:")) / 1024
