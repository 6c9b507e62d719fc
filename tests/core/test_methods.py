from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from descartes_core.errors import DescartesError
from descartes_core.messages.agents import Spawn, Stop
from descartes_core.messages.common import Model
from descartes_core.messages.events import EventFilter
from descartes_core.messages.terminals import Write
from descartes_core.methods import METHODS, Method

ASKED = (
    "agent.spawn agent.list agent.get agent.output agent.write agent.resize agent.signal agent.pause agent.resume "
    "agent.stop agent.kill agent.wait agent.attach session.info event.list system.health system.stats system.shutdown"
)


def test_all_that_is_asked_for_is_there() -> None:
    assert set(ASKED.split()) <= set(METHODS)


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda method: method.name)
def test_every_method_is_strict_described_and_declares_its_errors(method: Method) -> None:
    for model in (method.request, method.reply):
        assert issubclass(model, Model)
        assert model.model_config["extra"] == "forbid"
        assert model.model_config["strict"] is True
    assert method.doc.endswith(".")
    assert all(issubclass(error, DescartesError) for error in method.errors)


@pytest.mark.parametrize("name", ["spawn", "write", "resize", "signal", "pause", "resume", "stop", "kill"])
def test_what_changes_something_takes_a_request_id(name: str) -> None:
    assert "request_id" in METHODS[f"agent.{name}"].request.model_fields


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        METHODS["x"] = METHODS["agent.list"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("model", "value"),
    [
        (Spawn, {"comand": ["ls"]}),
        (Spawn, {"command": "ls"}),
        (Spawn, {"command": ["a\0b"]}),
        (Spawn, {"command": ["ls"] * 1_000_001}),
        (Spawn, {"rows": 0}),
        (Spawn, {"rows": "24"}),
        (Spawn, {"agent_id": "not-a-uuid"}),
        (Spawn, {"grace": -1.0}),
        (Stop, {}),
        (Stop, {"agent_id": ""}),
        (Stop, {"agent_id": "a", "grace": float("nan")}),
        (Write, {"agent_id": "a", "text": 1}),
    ],
)
def test_what_does_not_fit_is_refused(model: type[BaseModel], value: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        model.model_validate(value)


def test_the_least_that_is_said_is_enough() -> None:
    assert Spawn.model_validate({}).command == []
    assert Stop.model_validate({"agent_id": "fixer"}).grace is None


def test_a_filter_of_events_is_small() -> None:
    """A listener keeps it for hours, and each name could be as long as a message."""
    assert EventFilter(agent_ids=["x" * 100]).agent_ids
    for kind in ("agent_ids", "task_ids", "workflow_ids"):
        with pytest.raises(ValidationError, match="at most 100 characters"):
            EventFilter.model_validate({kind: ["x" * 101]})
