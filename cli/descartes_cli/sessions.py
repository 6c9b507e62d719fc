"""The verbs about sessions."""

from __future__ import annotations

from descartes_cli.lazy import LazyGroup

VERBS = {
    "list": ("descartes_cli.sessions_list:list_sessions", "Find workspaces, and list those once used."),
    "create": ("descartes_cli.sessions_change:create", "Make a directory a workspace."),
    "show": ("descartes_cli.sessions_show:show", "Tell all about one session."),
    "start": ("descartes_cli.sessions_change:start", "Start a session's daemon."),
    "stop": ("descartes_cli.sessions_change:stop", "End a session's daemon."),
    "restart": ("descartes_cli.sessions_restart:restart", "Replace a session's daemon; its agents go on."),
    "use": ("descartes_cli.sessions_change:use", "Make a session the active one."),
    "rename": ("descartes_cli.sessions_life:rename", "Give a session another name."),
    "archive": ("descartes_cli.sessions_life:archive", "Stop a session and lay it aside."),
    "unarchive": ("descartes_cli.sessions_life:unarchive", "Take up a session that was laid aside."),
    "relocate": ("descartes_cli.sessions_life:relocate", "Say where a workspace was moved to."),
    "adopt": ("descartes_cli.sessions_life:adopt", "Give the copy of a workspace an id of its own."),
    "export": ("descartes_cli.sessions_transfer:export", "Write a session into one file."),
    "import": ("descartes_cli.sessions_transfer:import_", "Make a session of such a file."),
    "delete": ("descartes_cli.sessions_delete:delete", "Forget a session; with --files remove its directory."),
}

sessions = LazyGroup(
    "sessions",
    verbs=VERBS,
    help="Workspaces and their daemons. A SESSION is meant by its id, a unique prefix, its name, or a path.",
)
