"""What `ps` and `top` call this daemon."""

from __future__ import annotations

import os

from setproctitle import setproctitle

from descartes_local.detached import KEEPS_ENVIRON


def show(name: str) -> None:
    """Bear the session's name, however we were started; only for the main thread, whose own name it changes, too."""
    added = KEEPS_ENVIRON.keys() - os.environ.keys()
    os.environ |= KEEPS_ENVIRON  # looked at by the first call
    setproctitle(f"descartes-daemon {name}")
    for variable in added:
        del os.environ[variable]
