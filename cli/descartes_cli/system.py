"""The verbs about daemons themselves."""

from __future__ import annotations

from descartes_cli.lazy import LazyGroup

VERBS = {
    "stats": ("descartes_cli.system_stats:stats", "Count what daemons have and do."),
}

system = LazyGroup("system", verbs=VERBS, help="The daemons themselves.")
