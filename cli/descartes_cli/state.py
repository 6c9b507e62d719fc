"""The verbs about what agents keep under keys, and about snapshots."""

from __future__ import annotations

from descartes_cli.lazy import LazyGroup

VERBS = {
    "get": ("descartes_cli.state_keys:get", "Print what an agent keeps under a key."),
    "set": ("descartes_cli.state_keys:set_value", "Keep a value for an agent under a key."),
    "query": ("descartes_cli.state_keys:query", "List what agents keep."),
    "delete": ("descartes_cli.state_keys:delete", "Remove what an agent keeps under a key."),
    "snapshot": ("descartes_cli.state_snapshots:snapshot", "Keep a session's state as it is now."),
    "snapshots": ("descartes_cli.state_snapshots:snapshots", "List a session's snapshots."),
    "restore": ("descartes_cli.state_snapshots:restore", "Put a session's state back to a snapshot."),
    "forget": ("descartes_cli.state_snapshots:forget", "Remove a snapshot."),
    "import-original": ("descartes_cli.state_import:import_original", "Take in a database of the original Descartes."),
}

state = LazyGroup(
    "state",
    verbs=VERBS,
    help="What agents keep under keys, and snapshots of a session's state.",
)
