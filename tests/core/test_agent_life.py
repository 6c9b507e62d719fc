from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.agent_life import ALIVE, FINAL, TABLE, Cause, Effect, State, move
from descartes_core.errors import IllegalTransition


@given(st.lists(st.sampled_from(Cause)))
def test_no_history_leaves_the_table(causes: list[Cause]) -> None:
    state = State.INITIALIZING
    for cause in causes:
        try:
            state = move("a", state, cause).to
        except IllegalTransition:
            assert (state, cause) not in TABLE


@given(st.lists(st.sampled_from(Cause)))
def test_an_end_is_for_ever(causes: list[Cause]) -> None:
    states = [State.INITIALIZING]
    for cause in causes:
        if (states[-1], cause) in TABLE:
            states.append(TABLE[states[-1], cause].to)
    ends = [state for state in states if state in FINAL]
    assert len(ends) <= 1


def test_the_final_states_are_those_without_a_way_out() -> None:
    assert {State.COMPLETED, State.FAILED, State.TERMINATED} == FINAL
    assert set(State) == ALIVE | FINAL


@pytest.mark.parametrize("state", sorted(ALIVE))
def test_every_living_state_can_reach_an_end(state: State) -> None:
    reached = {state}
    while more := {row.to for (left, _), row in TABLE.items() if left in reached} - reached:
        reached |= more
    assert reached & FINAL


def test_every_state_can_be_reached() -> None:
    assert {row.to for row in TABLE.values()} | {State.INITIALIZING} == set(State)


def test_stopping_asks_first_and_kills_after_the_grace() -> None:
    asked = move("a", State.RUNNING, Cause.STOP_ASKED)
    assert asked.effects == (Effect.ASK_TO_END, Effect.ARM_GRACE)
    assert move("a", asked.to, Cause.GRACE_OVER).effects == (Effect.KILL_TREE,)


def test_a_paused_agent_is_continued_so_that_it_can_hear() -> None:
    assert Effect.CONTINUE_TREE in move("a", State.PAUSED, Cause.STOP_ASKED).effects


def test_killing_leaves_out_the_grace() -> None:
    assert move("a", State.RUNNING, Cause.KILL_ASKED).effects == (Effect.KILL_TREE,)


@pytest.mark.parametrize("state", [State.RUNNING, State.PAUSED, State.STOPPING, State.LOST])
@pytest.mark.parametrize("cause", [Cause.ENDED_WELL, Cause.ENDED_BADLY])
def test_every_end_of_a_program_ends_its_rest(state: State, cause: Cause) -> None:
    ended = move("a", state, cause)
    assert ended.to in FINAL
    assert ended.effects == (Effect.END_REST,)


def test_what_is_asked_of_the_lost_is_remembered() -> None:
    assert move("a", State.LOST, Cause.STOP_ASKED).effects == (Effect.REMEMBER,)


def test_an_illegal_cause_names_agent_state_and_cause() -> None:
    with pytest.raises(IllegalTransition, match="agent a is completed: stop is not possible now") as caught:
        move("a", State.COMPLETED, Cause.STOP_ASKED)
    assert (caught.value.state, caught.value.cause) == (State.COMPLETED, Cause.STOP_ASKED)


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        TABLE[State.COMPLETED, Cause.FOUND] = TABLE[State.LOST, Cause.FOUND]  # type: ignore[index]
