"""The verbs about tasks."""

from __future__ import annotations

from descartes_cli.lazy import LazyGroup

VERBS = {
    "list": ("descartes_cli.tasks_list:list_tasks", "List tasks."),
    "show": ("descartes_cli.tasks_list:show", "Tell all about one task."),
    "next": ("descartes_cli.tasks_list:next_task", "Tell which task to begin next."),
    "waves": ("descartes_cli.tasks_count:waves", "Tell in which order they can be done."),
    "stats": ("descartes_cli.tasks_count:stats", "Count them."),
    "phases": ("descartes_cli.tasks_count:phases", "List the phases, and how far each is."),
    "use": ("descartes_cli.tasks_change:use", "Make a phase the active one."),
    "set-status": ("descartes_cli.tasks_change:set_status", "Set a task's status."),
    "claim": ("descartes_cli.tasks_change:claim", "Write down who works on a task."),
    "add": ("descartes_cli.tasks_own:add", "Add a task of the session's own."),
    "update": ("descartes_cli.tasks_own:update", "Change a task of the session's own."),
}

tasks = LazyGroup(
    "tasks",
    verbs=VERBS,
    help="The tasks of a workspace: those of SCUD (.scud/tasks/tasks.scg), or, where it has none, the session's own. "
    "A TASK is meant by its id, or by PHASE:ID.",
)
