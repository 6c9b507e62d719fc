"""An agent, as the bus is told of it."""

from __future__ import annotations

import os

from descartes_core.agent_life import State
from descartes_core.bus.messages import LONGEST_SENTENCE, AgentInfo
from descartes_core.events import in_brief
from descartes_core.times import written_or_none
from descartes_daemon.agent import Agent

#: Of a task as it is told: a command line may have megabytes.
_LONGEST_TASK = 2000


def described(agent: Agent) -> AgentInfo:
    """Return everything that others may know of it."""
    info, row = agent.info(), agent.row
    out, errors = agent.log, agent.errors
    command = list(map(_text, in_brief(info["command"])))
    return AgentInfo(
        id=row.id,
        name=row.name,
        status=info["status"],
        model_backend=os.path.basename(command[0]) if command else "",
        started_at=info["started_at"],
        task=_text(" ".join(command[1:]))[:_LONGEST_TASK],
        paused_at=written_or_none(row.moved_at) if row.state is State.PAUSED else None,
        pause_mode="forced" if row.state is State.PAUSED else None,
        session_id=info["session_id"],
        host=info["host"],
        pid=info["pid"],
        command=tuple(command),
        cwd=_text(row.cwd),
        tty=row.tty,
        rows=row.rows,
        cols=row.cols,
        ended_at=info["ended_at"],
        exit_code=row.exit_code,
        signal=row.signal,
        cause=None if row.cause is None else str(row.cause),
        evidence=None if row.evidence is None else _text(row.evidence),
        notice=None if info["notice"] is None else _text(info["notice"]),
        limited_by=row.limited_by,
        ended_by=row.ended_by,
        usage=row.usage if row.usage is not None or agent.usage is None else agent.usage.as_json(),
        stdout_bytes=out.size,
        stderr_bytes=0 if errors is None else errors.size,
        stdout_from=out.begin,
        stderr_from=0 if errors is None else errors.begin,
        is_gone=agent.gone.is_set() and all(log.is_ended for log in agent.logs),
    )


def _text(word: str) -> str:
    """Return text as the bus can tell it: a path may have bytes that are none."""
    return word.encode(errors="replace").decode()[:LONGEST_SENTENCE]
