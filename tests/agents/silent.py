"""An agent that never says anything, and hears everything."""

from __future__ import annotations

import signal

while True:
    signal.pause()
