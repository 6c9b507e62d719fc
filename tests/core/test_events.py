from __future__ import annotations

import pytest

from descartes_core.agent_life import TABLE, Cause, State
from descartes_core.events import CATEGORIES, NOT_TOLD, TOLD, agent_event, fits, in_brief
from descartes_core.messages.events import EventFilter
from tests.support.house import FLOORS, ROOT, events_of, sources

#: The original's words (facts of the seed): each is told, or it is said why not.
WORDS = {
    "AgentEvent": "spawned started status_changed paused resumed completed failed killed log metric attach_requested "
    "attach_connected attach_disconnected",
    "TaskEvent": "created started progress completed failed cancelled",
    "WorkflowEvent": "started step_completed completed failed paused resumed",
    "SystemEvent": "daemon_started daemon_stopping health_check metrics_update connection_established "
    "connection_closed error",
    "StateEvent": "created updated deleted",
}


def test_every_move_tells_a_word_of_the_list() -> None:
    told = {kind.event_type for kind in TOLD if kind.type == "AgentEvent"}
    assert {agent_event(cause, row.to) for (_, cause), row in TABLE.items()} <= told


def test_each_of_the_original_s_words_has_its_place() -> None:
    listed = [(kind.type, kind.event_type) for kind in (*TOLD, *NOT_TOLD)]
    assert len(set(listed)) == len(listed)
    wanted = {(kind, word) for kind, words in WORDS.items() for word in words.split()}
    assert wanted <= set(listed)
    assert {(kind.type, kind.event_type) for kind in NOT_TOLD} <= wanted


def test_every_event_that_the_source_tells_is_in_the_list() -> None:
    told = {(kind.type, kind.event_type) for kind in TOLD}
    assert {event for path in sources() for event in events_of(path)} - told == set()
    daemon = "".join(path.read_text() for path in FLOORS["daemon"].rglob("*.py"))
    by_moves = {agent_event(cause, row.to) for (_, cause), row in TABLE.items()}
    assert {kind.event_type for kind in TOLD if f'"{kind.event_type}"' not in daemon} <= by_moves
    assert events_of(ROOT / "daemon/descartes_daemon/faults.py") == {("SystemEvent", "error")}


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


def test_a_long_command_is_told_by_its_beginning() -> None:
    """A thousand events at hand, each with a command of megabytes, were gigabytes."""
    assert in_brief(["ls", "-l"]) == ["ls", "-l"]
    assert in_brief(["a" * 5000, "b"]) == ["a" * 4000 + "…"]
    many = in_brief(["word"] * 100_000)
    assert len(many) == 801
    assert many[-1] == "…"


def an_event(kind: str, agent: str | None = None, **data: str) -> dict[str, object]:
    return {"type": kind, "agent_id": agent, "data": data}


def test_an_empty_filter_lets_everything_pass() -> None:
    assert all(fits(an_event(kind), EventFilter()) for kind in CATEGORIES)


def test_categories_and_ids_must_both_fit() -> None:
    wanted = EventFilter(event_categories=["agent"], agent_ids=["a"])
    assert fits(an_event("AgentEvent", "a"), wanted)
    assert not fits(an_event("AgentEvent", "b"), wanted)
    assert not fits(an_event("AgentEvent", "a"), EventFilter(event_categories=["system"], agent_ids=["a"]))


def test_ids_touch_their_own_category_only() -> None:
    wanted = EventFilter(agent_ids=["a"], task_ids=["t"], workflow_ids=["w"])
    assert fits(an_event("SystemEvent"), wanted)
    assert fits(an_event("TaskEvent", "b", task_id="t"), wanted)
    assert not fits(an_event("TaskEvent", "a", task_id="other"), wanted)
    assert not fits(an_event("WorkflowEvent"), wanted)
    assert not fits(an_event("AgentEvent", "t"), wanted)
