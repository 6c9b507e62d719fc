"""The verbs about runners."""

from __future__ import annotations

from descartes_cli.lazy import LazyGroup

VERBS = {
    "list": ("descartes_cli.runners_verbs:list_runners", "List the machines that run agents for this hub's daemons."),
    "drain": ("descartes_cli.runners_verbs:drain", "Give a runner no new agents; those it has go on."),
    "remove": ("descartes_cli.runners_verbs:remove", "Let a runner in no more, at once."),
}

runners = LazyGroup(
    "runners",
    verbs=VERBS,
    help="Machines that run agents for others. `descartes hub enroll` prints a token, `descartes runner TOKEN` there "
    "is all a machine needs.",
)
