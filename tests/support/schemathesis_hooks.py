"""What schemathesis may send to a daemon that starts programs: harmless commands, short waits, agents that exist."""

from __future__ import annotations

import os
from typing import Any

import schemathesis

#: What is started instead of what it makes up.
COMMANDS = (["true"], ["sh", "-c", "echo hello; exit 3"], ["sleep", "60"], ["cat"], ["/nowhere/no-such-program"])
#: Agents that are there, by id.
AGENTS = tuple(os.environ.get("DESCARTES_TEST_AGENTS", "").split())


@schemathesis.hook
def map_body(context: schemathesis.HookContext, body: Any) -> Any:
    """Make a request harmless, and half of the time about an agent that is there."""
    if not isinstance(body, dict):
        return body
    path = context.operation.path
    if path == "/rpc/agent.spawn" and isinstance(body.get("command", []), list):
        body["command"] = COMMANDS[len(str(body)) % len(COMMANDS)]
        body.pop("agent_id", None)
    for name in ("wait", "timeout", "grace"):
        # What is beyond the limits is to be refused.
        if isinstance(body.get(name), int | float) and not isinstance(body[name], bool) and 0 <= body[name] <= 300:
            body[name] = 0.01
    named = body.get("agent_id")
    if AGENTS and isinstance(named, str) and 1 <= len(named) <= 100 and len(str(body)) % 2:
        body["agent_id"] = AGENTS[len(str(body)) % len(AGENTS)]
    return body
