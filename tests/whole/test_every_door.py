"""What is wrong is refused by the same code at each door, and starts nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from descartes_core.errors import BY_CODE
from descartes_core.messages.common import LARGEST_MESSAGE
from descartes_core.methods import METHODS
from tests.support.doors import Door, every_door, health_of
from tests.support.misfits import EACH_TYPE, fitting, misfits
from tests.support.person import Person
from tests.support.serving import only_run

pytestmark = pytest.mark.supervisor("shared")

#: One takes an id for what is not there yet; the other is answered on the Unix socket alone.
NOT_OF_THEM = {"agent.spawn", "agent.attach", "recording.import"}
OF_AGENTS = sorted({name for name, one in METHODS.items() if "agent_id" in one.request.model_fields} - NOT_OF_THEM)
#: What a person may call an agent that is none.
NAMES = (
    "nobody",
    "../../etc/passwd",
    "/",
    "a\0b",
    "🐢 żółw",
    "-1",
    "*",
    "'; DROP TABLE agents; --",
    "\x1b[31m",
    "x" * 100,
)
#: Methods that an ended agent still answers; the others, and why they are refused.
ENDED = {
    **dict.fromkeys(("agent.get", "agent.output", "agent.screen", "agent.audit", "agent.wait"), "done"),
    **dict.fromkeys(("agent.pause", "agent.resume", "agent.stop", "agent.kill"), "illegal_transition"),
    **dict.fromkeys(("state.query", "state.transitions", "recording.input", "search.query"), "done"),
    "state.get": "not_found",
    "state.delete": "not_found",
    "state.set": "conflict",
    **dict.fromkeys(("agent.write", "agent.resize", "agent.signal"), "refused"),
}
#: No parameters at all, at any door that takes them alone; and no call.
NO_JSON = (b"not json", b"{", b"\xff\xfe", b'{"a": NaN}', b"[" * 100_000, b'{"a":' * 100_000, b'"\\ud800')


@pytest.fixture
def doors(person: Person) -> Iterator[dict[str, Door]]:
    """Give all doors of a daemon with an agent that has ended; in the end it must be as it was."""
    person.run("spawn", person.workspace("shop"), "--name", "ended", "--wait", "--", "true")
    first = only_run(person.home)
    before = events(person)
    with every_door(person) as opened:
        yield opened
    assert health_of(person)["instance_id"] == first.instance_id
    assert events(person) == before
    assert [one["name"] for one in person.run("ps", "-a", "--json").json["agents"]] == ["ended"]
    assert "Traceback" not in (person.home.session(first.session_id) / "daemon.log").read_text()


def events(person: Person) -> list[str]:
    return [one["event_type"] for one in person.run("events", "--json").lines]


def codes(doors: dict[str, Door], method: str, params: Any) -> dict[str, str]:
    """Call at each door, and return what each says; the HTTP status must be that of the error."""
    said = {name: door.call(method, params) for name, door in doors.items()}
    assert all(len(json.dumps(one.answer)) < 5000 for one in said.values()), "what was sent is sent back"
    if (code := said["plain"].code) != "done":
        assert said["plain"].status == BY_CODE[code].status
    assert said["rpc"].status == 200
    return {name: one.code for name, one in said.items()}


def test_each_field_of_each_method_is_checked_at_each_door(person: Person, doors: dict[str, Door]) -> None:
    tried, found = 0, []
    for method in METHODS:
        for params in misfits(method):
            tried += 1
            if set((told := codes(doors, method, params)).values()) != {"invalid_params"}:
                found.append((method, {key: repr(value)[:80] for key, value in params.items()}, told))
        assert health_of(person)["status"] == "healthy"
    assert found == []
    assert tried > 20 * len(METHODS)


def test_what_is_no_call_or_names_no_agent_is_refused_at_each_door(doors: dict[str, Door]) -> None:
    refused_without_an_object(doors)
    not_found(doors)
    ended(doors)
    unknown_methods(doors)
    no_json(doors)


def refused_without_an_object(doors: dict[str, Door]) -> None:
    for method in METHODS:
        for kind in ("array", "string", "integer", "number", "boolean"):
            told = codes(doors, method, EACH_TYPE[kind])
            assert set(told.values()) <= {"invalid_params", "invalid_request"}, (method, kind, told)


def not_found(doors: dict[str, Door]) -> None:
    for method in OF_AGENTS:
        for name in NAMES:
            told = codes(doors, method, usual(method) | {"agent_id": name})
            assert set(told.values()) == {"agent_not_found"}, (method, name, told)


def ended(doors: dict[str, Door]) -> None:
    """An agent that has ended."""
    for method in OF_AGENTS:
        told = codes(doors, method, usual(method) | {"agent_id": "ended"})
        assert set(told.values()) == {ENDED[method]}, (method, told)


def unknown_methods(doors: dict[str, Door]) -> None:
    for method in ("no.such", "agent.list.", "AGENT.LIST", "__init__", "agent", "x" * 5000):
        assert set(codes(doors, method, {}).values()) == {"method_not_found"}, method


def no_json(doors: dict[str, Door]) -> None:
    for data in NO_JSON:
        assert {name: door.say(data).code for name, door in doors.items()} == dict.fromkeys(doors, "parse_error"), data
    large = b" " * LARGEST_MESSAGE + b"x"
    assert {name: door.say(large).code for name, door in doors.items()} == dict.fromkeys(doors, "too_large")


def usual(method: str) -> dict[str, Any]:
    """Return parameters that are right, and do something where an agent lives."""
    more = {
        "agent.write": {"text": "x"},
        "agent.signal": {"signal": "INT"},
        "state.set": {"expected_version": 7},  # which there is not: nothing is to be changed here
    }
    return fitting(method) | more.get(method, {})
