from __future__ import annotations

import pytest

from descartes_core.agent_life import TABLE, Cause, State
from descartes_core.events import CATEGORIES, agent_event, fits

#: The original's words for agents.
WORDS = {"spawned", "started", "status_changed", "paused", "resumed", "completed", "failed", "killed"}


def test_every_move_is_one_of_the_original_s_events() -> None:
    assert {agent_event(cause, row.to) for (_, cause), row in TABLE.items()} <= WORDS


@pytest.mark.parametrize(
    ("cause", "became", "event"),
    [
        (Cause.SPAWNED, State.RUNNING, "started"),
        (Cause.RESUME_ASKED, State.RUNNING, "resumed"),
        (Cause.FOUND, State.RUNNING, "status_changed"),
        (Cause.PAUSE_ASKED, State.PAUSED, "paused"),
        (Cause.STOP_ASKED, State.STOPPING, "status_changed"),
        (Cause.ENDED_WELL, State.COMPLETED, "completed"),
        (Cause.ENDED_BADLY, State.TERMINATED, "killed"),
        (Cause.HOST_GONE, State.LOST, "status_changed"),
    ],
)
def test_a_move_has_its_word(cause: Cause, became: State, event: str) -> None:
    assert agent_event(cause, became) == event


def test_an_empty_filter_lets_everything_pass() -> None:
    assert all(fits(kind, None) for kind in CATEGORIES)


def test_categories_and_ids_must_both_fit() -> None:
    assert fits("AgentEvent", "a", categories=["agent"], agent_ids=["a"])
    assert not fits("AgentEvent", "b", categories=["agent"], agent_ids=["a"])
    assert not fits("AgentEvent", "a", categories=["system"], agent_ids=["a"])


def test_ids_touch_their_own_category_only() -> None:
    assert fits("SystemEvent", None, agent_ids=["a"])
