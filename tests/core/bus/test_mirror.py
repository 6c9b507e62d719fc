from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.agent_life import ALIVE, FINAL, Cause, State, move
from descartes_core.bus.messages import AgentInfo
from descartes_core.bus.mirror import causes, causes_of_absence, state_of

WORDS = [*State, "idle", "thinking"]
infos = st.builds(
    AgentInfo,
    id=st.just("a"),
    name=st.just("a"),
    status=st.sampled_from([str(word) for word in WORDS]),
    cause=st.none() | st.sampled_from([str(cause) for cause in Cause]) | st.just("of a newer version"),
    exit_code=st.none() | st.sampled_from([0, 1]),
    ended_by=st.none() | st.just("limit: memory 2G > 1G"),
)


def after(local: State, moves: tuple[Cause, ...]) -> State:
    """Return where these causes lead; raises where the table has not one of them."""
    for cause in moves:
        local = move("a", local, cause).to
    return local


@given(st.sampled_from(State), infos)
def test_a_row_comes_to_where_its_runner_says(local: State, info: AgentInfo) -> None:
    remote, came_to = state_of(info), after(local, causes(local, info))
    if local in FINAL or remote is State.INITIALIZING:
        assert came_to is local
    elif local is State.STOPPING:
        # It was asked to end: till it has, it is asked again; and however it ends, that is why.
        expected = State.LOST if remote is State.LOST else State.TERMINATED if remote in FINAL else local
        assert came_to is expected or (came_to is State.FAILED and info.cause in ("given_up", "host_restarted"))
    elif info.cause in ("given_up", "host_restarted") and remote is State.COMPLETED:
        assert came_to is State.FAILED  # what no runner says
    else:
        assert came_to is remote


@given(st.sampled_from(State), infos)
def test_the_same_word_again_changes_nothing(local: State, info: AgentInfo) -> None:
    came_to = after(local, causes(local, info))
    assert causes(came_to, info) == ()


@given(st.sampled_from(State), infos)
def test_an_old_word_does_not_undo_what_was_just_asked(local: State, info: AgentInfo) -> None:
    came_to = after(local, causes(local, info, is_asked=True))
    if local in (State.RUNNING, State.PAUSED, State.STOPPING) and state_of(info) in ALIVE - {State.LOST}:
        assert came_to is local
    else:
        assert came_to is after(local, causes(local, info))


@pytest.mark.parametrize("local", State)
@pytest.mark.parametrize("has_run", [False, True])
def test_what_its_runner_does_not_know_has_ended(local: State, has_run: bool) -> None:
    came_to = after(local, causes_of_absence(local, has_run=has_run))
    assert came_to is (local if local in FINAL else State.FAILED)


def test_what_never_ran_is_told_so() -> None:
    assert causes_of_absence(State.LOST, has_run=False) == (Cause.NEVER_SPAWNED,)
    info = AgentInfo(id="a", name="a", status="failed", cause="exec_failed")
    assert causes(State.LOST, info) == (Cause.EXEC_FAILED,)


def test_a_limit_is_named_as_the_cause() -> None:
    info = AgentInfo(id="a", name="a", status="terminated", cause="ended_badly", ended_by="limit: timeout 1s")
    assert causes(State.RUNNING, info) == (Cause.LIMIT_HIT, Cause.ENDED_BADLY)


def test_a_state_of_a_newer_version_moves_nothing() -> None:
    assert causes(State.RUNNING, AgentInfo(id="a", name="a", status="dreaming")) == ()


def test_a_message_says_no_more_than_mirror_knows() -> None:
    assert get_args(State) == ()
    assert all(state_of(AgentInfo(id="a", name="a", status=word)) for word in WORDS)
