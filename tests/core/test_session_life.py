from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.errors import IllegalTransition
from descartes_core.session_life import TABLE, Cause, Effect, Move, State, move


@given(st.lists(st.sampled_from(Cause)))
def test_no_history_leaves_the_table(causes: list[Cause]) -> None:
    state = State.INACTIVE
    for cause in causes:
        try:
            state = move("s", state, cause).to
        except IllegalTransition:
            assert (state, cause) not in TABLE


@pytest.mark.parametrize("state", sorted(State))
def test_every_state_leads_back_to_inactive(state: State) -> None:
    reached = {state}
    while more := {row.to for (left, _), row in TABLE.items() if left in reached} - reached:
        reached |= more
    assert State.INACTIVE in reached


def test_there_are_the_original_s_six_states() -> None:
    assert [state.value for state in State] == ["Inactive", "Starting", "Active", "Stopping", "Archived", "Error"]


def test_the_way_through_the_middle() -> None:
    state = State.INACTIVE
    effects: list[Effect] = []
    for cause in (Cause.START_ASKED, Cause.READY, Cause.STOP_ASKED, Cause.GRACE_OVER, Cause.ENDED):
        row = move("s", state, cause)
        state = row.to
        effects.extend(row.effects)
    assert state is State.INACTIVE
    assert effects == [Effect.START, Effect.TELL, Effect.ASK_TO_END, Effect.KILL, Effect.LET_GO, Effect.TELL]


def test_a_daemon_that_dies_is_started_again() -> None:
    assert move("s", State.ACTIVE, Cause.ENDED).effects == (Effect.START_LATER,)
    assert move("s", State.ACTIVE, Cause.ENDED).to is State.STARTING


@pytest.mark.parametrize("state", [State.INACTIVE, State.ERROR])
def test_a_daemon_that_outlived_its_supervisor_is_active_and_dies_like_any_other(state: State) -> None:
    assert move("s", state, Cause.HANDED_OVER) == Move(State.ACTIVE)
    assert move("s", State.ACTIVE, Cause.NEVER_GAVE) == Move(State.INACTIVE)
    assert (State.STARTING, Cause.HANDED_OVER) not in TABLE
    assert (State.ACTIVE, Cause.HANDED_OVER) not in TABLE


def test_a_late_daemon_is_killed_and_those_who_wait_are_told() -> None:
    late = move("s", State.STARTING, Cause.DEADLINE_OVER)
    assert (late.to, late.effects) == (State.ERROR, (Effect.KILL, Effect.TELL))


@pytest.mark.parametrize(
    ("state", "cause"),
    [
        (State.ARCHIVED, Cause.START_ASKED),
        (State.STOPPING, Cause.READY),
        (State.STOPPING, Cause.START_ASKED),
        (State.ACTIVE, Cause.ARCHIVE_ASKED),
    ],
)
def test_what_the_original_forbids_is_refused(state: State, cause: Cause) -> None:
    with pytest.raises(IllegalTransition, match=f"session s is {state}"):
        move("s", state, cause)
