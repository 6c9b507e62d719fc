"""The life of an agent: one table is the truth.

A state is what changes which causes are legal; a cause is something that happened; an effect is what must now be
done. The table never acts: the daemon's `agents.py` stores the move, does the effects and feeds what comes of
them back as causes. Every ENDED_* asks for END_REST: what an agent leaves behind is ended too.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from descartes_core.errors import IllegalTransition


class State(StrEnum):
    """Where an agent is in its life; the bus uses the same words."""

    INITIALIZING = "initializing"  # its row is written, its program does not run yet
    RUNNING = "running"
    PAUSED = "paused"  # its whole tree is stopped
    STOPPING = "stopping"  # it was asked to end, or is being killed
    LOST = "lost"  # nobody knows: its host is gone, or its terminal is
    COMPLETED = "completed"  # ended by itself with code 0
    FAILED = "failed"  # ended by itself otherwise, or never ran
    TERMINATED = "terminated"  # ended because it was asked to


class Cause(StrEnum):
    """What happened to an agent."""

    SPAWNED = "spawned"
    EXEC_FAILED = "exec_failed"
    NEVER_SPAWNED = "never_spawned"  # the daemon died before the word to go, or the runner never heard of it
    PAUSE_ASKED = "pause_asked"
    RESUME_ASKED = "resume_asked"
    STOP_ASKED = "stop_asked"
    KILL_ASKED = "kill_asked"
    LIMIT_HIT = "limit_hit"
    GRACE_OVER = "grace_over"
    ENDED_WELL = "ended_well"
    ENDED_BADLY = "ended_badly"
    HOST_GONE = "host_gone"
    FOUND = "found"
    FOUND_PAUSED = "found_paused"
    FOUND_STOPPING = "found_stopping"
    GIVEN_UP = "given_up"
    HOST_RESTARTED = "host_restarted"


class Effect(StrEnum):
    """What must be done after a move is stored."""

    ASK_TO_END = "ask_to_end"  # the agent's own stop signal to its tree
    ARM_GRACE = "arm_grace"  # feed GRACE_OVER back when the grace is over
    KILL_TREE = "kill_tree"
    PAUSE_TREE = "pause_tree"
    CONTINUE_TREE = "continue_tree"
    END_REST = "end_rest"  # ask what remains of the tree, kill it after the grace
    RELEASE = "release"  # nothing runs: give back terminal, pipe and keeping
    REMEMBER = "remember"  # do it when the host is back


class Move(NamedTuple):
    """Where a cause leads and what it asks for."""

    to: State
    effects: tuple[Effect, ...] = ()


_ASK = (Effect.ASK_TO_END, Effect.ARM_GRACE)
_ASK_PAUSED = (Effect.ASK_TO_END, Effect.CONTINUE_TREE, Effect.ARM_GRACE)
_KILL = (Effect.KILL_TREE,)
_REST = (Effect.END_REST,)
_NOTHING_RUNS = (Effect.RELEASE,)

TABLE: Mapping[tuple[State, Cause], Move] = MappingProxyType(
    {
        (State.INITIALIZING, Cause.SPAWNED): Move(State.RUNNING),
        (State.INITIALIZING, Cause.EXEC_FAILED): Move(State.FAILED, _NOTHING_RUNS),
        (State.INITIALIZING, Cause.NEVER_SPAWNED): Move(State.FAILED, _NOTHING_RUNS),
        (State.INITIALIZING, Cause.STOP_ASKED): Move(State.STOPPING, _KILL),
        (State.INITIALIZING, Cause.KILL_ASKED): Move(State.STOPPING, _KILL),
        (State.INITIALIZING, Cause.HOST_GONE): Move(State.LOST),
        (State.RUNNING, Cause.PAUSE_ASKED): Move(State.PAUSED, (Effect.PAUSE_TREE,)),
        (State.RUNNING, Cause.STOP_ASKED): Move(State.STOPPING, _ASK),
        (State.RUNNING, Cause.KILL_ASKED): Move(State.STOPPING, _KILL),
        (State.RUNNING, Cause.LIMIT_HIT): Move(State.STOPPING, _KILL),
        (State.RUNNING, Cause.ENDED_WELL): Move(State.COMPLETED, _REST),
        (State.RUNNING, Cause.ENDED_BADLY): Move(State.FAILED, _REST),
        (State.RUNNING, Cause.HOST_GONE): Move(State.LOST),
        (State.PAUSED, Cause.RESUME_ASKED): Move(State.RUNNING, (Effect.CONTINUE_TREE,)),
        (State.PAUSED, Cause.STOP_ASKED): Move(State.STOPPING, _ASK_PAUSED),
        (State.PAUSED, Cause.KILL_ASKED): Move(State.STOPPING, _KILL),
        (State.PAUSED, Cause.LIMIT_HIT): Move(State.STOPPING, _KILL),
        (State.PAUSED, Cause.ENDED_WELL): Move(State.COMPLETED, _REST),
        (State.PAUSED, Cause.ENDED_BADLY): Move(State.FAILED, _REST),
        (State.PAUSED, Cause.HOST_GONE): Move(State.LOST),
        (State.STOPPING, Cause.GRACE_OVER): Move(State.STOPPING, _KILL),
        (State.STOPPING, Cause.KILL_ASKED): Move(State.STOPPING, _KILL),
        (State.STOPPING, Cause.ENDED_WELL): Move(State.TERMINATED, _REST),
        (State.STOPPING, Cause.ENDED_BADLY): Move(State.TERMINATED, _REST),
        (State.STOPPING, Cause.HOST_GONE): Move(State.LOST),
        (State.LOST, Cause.FOUND): Move(State.RUNNING),
        (State.LOST, Cause.FOUND_PAUSED): Move(State.PAUSED),
        (State.LOST, Cause.FOUND_STOPPING): Move(State.STOPPING),
        (State.LOST, Cause.EXEC_FAILED): Move(State.FAILED, _NOTHING_RUNS),
        (State.LOST, Cause.NEVER_SPAWNED): Move(State.FAILED, _NOTHING_RUNS),
        (State.LOST, Cause.ENDED_WELL): Move(State.COMPLETED, _REST),
        (State.LOST, Cause.ENDED_BADLY): Move(State.FAILED, _REST),
        (State.LOST, Cause.GIVEN_UP): Move(State.FAILED, _NOTHING_RUNS),
        (State.LOST, Cause.HOST_RESTARTED): Move(State.FAILED, _NOTHING_RUNS),
        (State.LOST, Cause.STOP_ASKED): Move(State.LOST, (Effect.REMEMBER,)),
        (State.LOST, Cause.KILL_ASKED): Move(State.LOST, (Effect.REMEMBER,)),
    }
)

FINAL = frozenset(State) - {state for state, _ in TABLE}
ALIVE = frozenset(State) - FINAL


def move(agent: str, state: State, cause: Cause) -> Move:
    """Return where this cause leads and what it asks for.

    Raises:
        IllegalTransition: this cannot happen in this state; nothing has changed.

    """
    try:
        return TABLE[state, cause]
    except KeyError:
        raise IllegalTransition(f"agent {agent}", state, cause) from None
