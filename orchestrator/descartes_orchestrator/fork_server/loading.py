"""What a daemon imports and touches in its first second, loaded once for all."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from importlib import import_module

from descartes_orchestrator.fork_server.holes import fill_holes

#: The daemon's code; by name, as nothing here may depend on it.
MAIN = "descartes_daemon.main"
#: What its libraries import only when it serves.
_LATER = (
    "asyncio.selector_events",
    "asyncio.unix_events",
    "concurrent.futures.thread",
    "encodings.idna",
    "uvicorn.lifespan.off",
)


def load_daemon() -> Callable[[list[str]], int]:
    """Import it and all it needs at once; return its main function."""
    gc.disable()
    main = import_module(MAIN)
    for name in _LATER:
        import_module(name)
    gc.collect()
    # The cache of methods holds the names that imports looked for: each new one would let go of one on another page.
    sys._clear_type_cache()
    main.warm()
    _freeze()
    run: Callable[[list[str]], int] = main.main
    return run


def _freeze() -> None:
    """Let the collector leave alone what is loaded: a daemon that looked at it would have its own copy of each page."""
    gc.collect()
    fill_holes()
    gc.freeze()
