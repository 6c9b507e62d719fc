"""Begin quickly, as the command `descartes-daemon` and as a module, as which the supervisor starts it."""

from __future__ import annotations

import gc
import sys


def begin() -> int:
    """Import what a daemon is made of, and run it."""
    gc.disable()  # while modules are imported there is nothing to be found, at some 50 ms of looking
    from descartes_daemon.main import main

    gc.freeze()  # nor later, at each full look
    gc.enable()
    return main()


if __name__ == "__main__":
    sys.exit(begin())
