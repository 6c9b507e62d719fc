"""The verbs about what agents keep under keys, and about snapshots."""

from __future__ import annotations

from descartes_cli.lazy import LazyGroup

VERBS = {
    "get": ("descartes_cli.state_keys:get", "Print what an agent keeps under a key."),
    "set": ("descartes_cli.state_keys:set_value", "Keep a value for an agent under a key."),
    "query": ("descartes_cli.state_keys:query", "List what agents keep."),
    "delete": ("descartes_cli.state_keys:delete", "Remove what an agent keeps under a key."),
}

state = LazyGroup(
    "state",
    verbs=VERBS,
    help="What agents keep under keys, and snapshots of a session's state.",
)
