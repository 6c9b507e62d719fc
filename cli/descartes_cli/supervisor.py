"""The verbs about the supervisor."""

from __future__ import annotations

from descartes_cli.lazy import LazyGroup

VERBS = {
    "status": ("descartes_cli.supervisor_verbs:status", "Tell what it keeps."),
    "upgrade": (
        "descartes_cli.supervisor_verbs:upgrade",
        "Let it go on with the installed code.",
    ),
    "stop": ("descartes_cli.supervisor_stop:stop", "End all sessions in order, then it; agents by policy."),
    "logs": ("descartes_cli.supervisor_logs:logs", "Read what it noted."),
}

supervisor = LazyGroup(
    "supervisor",
    verbs=VERBS,
    help="The one process a user that keeps everything alive. It starts and ends by itself.",
)
