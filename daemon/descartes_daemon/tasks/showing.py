"""Tasks as every door shows them."""

from __future__ import annotations

from typing import Any

from descartes_core.scud.task import Task
from descartes_core.scud.tree import in_order
from descartes_daemon.tasks.view import View

Reply = dict[str, Any]


def shown(view: View, task: Task) -> Reply:
    """Return a task as lists show it (messages.TaskInfo)."""
    return {
        "task_id": task.task_id,
        "phase": task.tag,
        "id": task.id,
        "title": task.title,
        "status": task.status,
        "priority": task.priority,
        "complexity": task.complexity,
        "dependencies": list(task.dependencies),
        "parent": task.parent,
        "assigned_to": task.assigned_to,
        "is_ready": task.task_id in view.ready,
    }


def shown_whole(view: View, task: Task, agents: list[str]) -> Reply:
    """Return a task with all that is known of it (messages.TaskDetail)."""
    tree = view.tree
    waits = [key for key, found in tree.dependencies(task) if found is None or not tree.is_done(found)]
    return {
        **shown(view, task),
        "children": [part.id for part in in_order(tree.children(task))],
        "waits_for": waits,
        "description": task.description,
        "details": task.details or "",
        "test_strategy": task.test_strategy or "",
        "locked_by": task.locked_by,
        "locked_at": task.locked_at,
        "agent_type": task.agent_type,
        "model_tier": task.model_tier,
        "agents": agents,
    }
