"""The verbs about hooks."""

from __future__ import annotations

from descartes_cli.lazy import LazyGroup

VERBS = {
    "add": ("descartes_cli.hooks_change:add", "Tell a web address, or a command, of events."),
    "list": ("descartes_cli.hooks_show:list_hooks", "List who is told of events, and how far that has come."),
    "remove": ("descartes_cli.hooks_change:remove", "Tell a hook nothing more."),
    "dead": ("descartes_cli.hooks_show:dead", "List what could not be delivered."),
    "retry": ("descartes_cli.hooks_change:retry", "Try what failed once more, now."),
}

hooks = LazyGroup(
    "hooks",
    verbs=VERBS,
    help="Web addresses and commands that are told of a session's events: in order, each at least once.",
)
