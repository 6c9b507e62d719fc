"""The answer to a request that was refused, in the form that its answer has."""

from __future__ import annotations

from typing import Any

from descartes_core.bus import messages as m
from descartes_core.errors import DescartesError


def failed(request: m.Request, error: DescartesError, data: m.Payload | None = None) -> m.Message:
    """Return what the one is told who asked; `data`: what goes with the refusal of a command."""
    told: dict[str, Any] = {"request_id": request.request_id, "code": error.code, "error": error.message}
    match request:
        case m.SpawnRequest():
            return m.SpawnResponse(success=False, **told)
        case m.ControlCommand() | m.CustomActionRequest():
            return m.CommandResponse(agent_id=request.agent_id, success=False, data=data, **told)
        case m.BatchControlCommand():
            return m.BatchControlResponse(results=(), success=False, successful=0, failed=0, **told)
        case m.ListAgentsRequest():
            return m.ListAgentsResponse(success=False, **told)
        case m.OutputQueryRequest():
            return m.OutputQueryResponse(agent_id=request.agent_id, success=False, **told)
    return m.Problem(**told)
