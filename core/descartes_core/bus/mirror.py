"""A remote agent's row follows what its runner says: causes out of two states.

What a runner tells is where its agent *is*, not what happened, so nothing is lost with a message that did not come.
The moves that come of these causes are stored as any; what they ask for was done by the runner already, so that only
what is local (a release, the end of a wait) is to be done here.
"""

from __future__ import annotations

from descartes_core.agent_life import ALIVE, FINAL, Cause, State
from descartes_core.bus.messages import AgentInfo

_WORDS = {state.value: state for state in State} | {"idle": State.RUNNING, "thinking": State.RUNNING}
_NEVER_RAN = {Cause.EXEC_FAILED, Cause.NEVER_SPAWNED}
_GIVEN_UP = {Cause.GIVEN_UP, Cause.HOST_RESTARTED}
_ASKED = {Cause.STOP_ASKED, Cause.KILL_ASKED, Cause.LIMIT_HIT}
_FOUND = {State.RUNNING: Cause.FOUND, State.PAUSED: Cause.FOUND_PAUSED, State.STOPPING: Cause.FOUND_STOPPING}


def state_of(info: AgentInfo) -> State | None:
    """Return the state that a runner's word means; None where this version does not know it."""
    return _WORDS.get(info.status)


def causes(local: State, info: AgentInfo, *, is_asked: bool = False) -> tuple[Cause, ...]:
    """Return what leads a row to where its runner says the agent is; nothing where it is there, or knows better.

    `is_asked`: something was asked of the runner that it has not answered, so of a living agent it does not know yet
    what is stored here. What is stopping here and runs there is to be asked to stop again. A row never goes back to
    `initializing`, and an end stays as it is.
    """
    remote = state_of(info)
    if remote is None or local in FINAL or remote in (local, State.INITIALIZING):
        return ()
    if remote is State.LOST:
        return (Cause.HOST_GONE,)
    if remote in FINAL:
        return _to_the_end(local, remote, info)
    if is_asked and local not in (State.INITIALIZING, State.LOST):
        return ()
    return _to_life(local, remote, info)


def causes_of_absence(local: State, *, has_run: bool) -> tuple[Cause, ...]:
    """Return what it means that the agent's own runner, which is there, does not know it."""
    if local in FINAL:
        return ()
    if local is State.INITIALIZING or (local is State.LOST and not has_run):
        return (Cause.NEVER_SPAWNED,)
    return (Cause.GIVEN_UP,) if local is State.LOST else (Cause.HOST_GONE, Cause.GIVEN_UP)


def _to_life(local: State, remote: State, info: AgentInfo) -> tuple[Cause, ...]:
    if local is State.LOST:
        return (_FOUND[remote],)
    if local is State.STOPPING:
        return ()
    before = (Cause.SPAWNED,) if local is State.INITIALIZING else ()
    if remote is State.STOPPING:
        return (*before, _why_stopping(info))
    if remote is State.PAUSED:
        return (*before, Cause.PAUSE_ASKED)
    return before or (Cause.RESUME_ASKED,)


def _to_the_end(local: State, remote: State, info: AgentInfo) -> tuple[Cause, ...]:
    if remote is State.TERMINATED:
        return (*_to_stopping(local, info), Cause.ENDED_WELL if info.exit_code == 0 else Cause.ENDED_BADLY)
    why = _cause(info)
    if why in _NEVER_RAN and local in (State.INITIALIZING, State.LOST):
        return (why,)
    if why in _GIVEN_UP:
        return (why,) if local is State.LOST else (Cause.HOST_GONE, why)
    before = (Cause.SPAWNED,) if local is State.INITIALIZING else ()
    return (*before, Cause.ENDED_WELL if remote is State.COMPLETED else Cause.ENDED_BADLY)


def _to_stopping(local: State, info: AgentInfo) -> tuple[Cause, ...]:
    if local is State.STOPPING:
        return ()
    if local is State.LOST:
        return (Cause.FOUND_STOPPING,)
    return ((Cause.SPAWNED,) if local is State.INITIALIZING else ()) + (_why_stopping(info),)


def _why_stopping(info: AgentInfo) -> Cause:
    if info.ended_by:
        return Cause.LIMIT_HIT
    why = _cause(info)
    return why if why in _ASKED else Cause.STOP_ASKED


def _cause(info: AgentInfo) -> Cause | None:
    try:
        return Cause(info.cause) if info.cause else None
    except ValueError:
        return None  # of a newer version


assert set(_FOUND) == ALIVE - {State.INITIALIZING, State.LOST}
