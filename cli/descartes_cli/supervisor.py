"""The verbs about the supervisor."""

from __future__ import annotations

from descartes_cli.lazy import LazyGroup

VERBS = {
    "status": ("descartes_cli.supervisor_verbs:status", "Tell what it keeps."),
    "stop": ("descartes_cli.supervisor_verbs:stop", "End it; refused while a session is not Inactive."),
}

supervisor = LazyGroup(
    "supervisor",
    verbs=VERBS,
    help="The one process a user that keeps everything alive. It starts and ends by itself.",
)
