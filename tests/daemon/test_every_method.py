"""Whatever is sent to whichever method, the answer is a result or a clear error, and never a fault of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from descartes_core import jsonrpc
from descartes_core.errors import DescartesError, InvalidParams
from descartes_core.messages.common import Change
from descartes_core.methods import METHODS
from descartes_daemon.dispatch import checked
from tests.support.inside import open_inside
from tests.support.programs import agent

pytestmark = pytest.mark.anyio

#: What fits no field, or only some: the wrong type, too much, or what is no text.
ODD: list[Any] = [
    *(None, True, False, 0, -1, 2**70, -0.0, 1.5, 1e308, "", "x", "a\0b", "\ud800", "é" * 5000, "../../etc", "[("),
    *([], [None], ["a"] * 20_000, [[[[]]]], {}, {"": ""}, {"a": None}, {"agent_ids": 7}, {"event_categories": ["x"]}),
]
#: What would end the test, or take long.
_LEAVE_OUT = {"system.shutdown"}


def usual(method: str, agent_id: str) -> dict[str, Any]:
    """Return what is right for a method: a beginning to go wrong from."""
    return {
        "agent.spawn": {"command": ["true"], "name": "one more"},
        "agent.output": {"agent_id": agent_id, "offset": 0},
        "agent.write": {"agent_id": agent_id, "text": "x"},
        "agent.resize": {"agent_id": agent_id, "rows": 24, "cols": 80},
        "agent.signal": {"agent_id": agent_id, "signal": "WINCH"},
        "agent.wait": {"agent_id": agent_id, "timeout": 0.0},
        "agent.batch": {"agent_ids": [agent_id], "command": "resume"},
        "session.rename": {"name": "shop"},
    }.get(method, {"agent_id": agent_id} if "agent_id" in METHODS[method].request.model_fields else {})


def wrong(method: str, agent_id: str) -> Iterator[dict[str, Any]]:
    """Yield the parameters of one method with one thing wrong, and a few times nothing."""
    right = usual(method, agent_id)
    yield right
    yield {**right, "unknown": 1}
    for name in METHODS[method].request.model_fields:
        if name == "timeout":
            continue  # whoever leaves it out waits for minutes, and is right
        yield {key: value for key, value in right.items() if key != name}
        for odd in ODD:
            # Nobody is waited for, and nobody is killed: the next question is asked of the same agent.
            if not (name == "wait" and isinstance(odd, float | int)):
                yield {**right, name: odd}


@pytest.mark.parametrize("method", [name for name in METHODS if name not in _LEAVE_OUT])
async def test_what_is_wrong_is_told_and_harms_nothing(
    short: Path, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(agent("silent"), name="silent")
        line = await inside.line()
        for params in wrong(method, spawned["id"]):
            asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            if method == "agent.attach":
                line = await inside.line()  # it becomes a terminal where that is right
            answer = await line.say(json.dumps(asked).encode())
            assert answer["id"] == 1, params
            if "error" in answer:
                assert answer["error"]["data"]["code"] != "internal_error", (params, answer)
                assert len(json.dumps(answer)) < 5000, "what was sent is sent back"
            elif method in ("agent.stop", "agent.kill") or params.get("command") in ("stop", "kill"):
                spawned = await inside.spawn(agent("silent"))
        assert (await inside.call("system.health"))["status"] == "healthy"
    assert "Traceback" not in caplog.text


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


# Too slow is a machine that has much else to do: it says nothing of what is tried.
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.sampled_from(sorted(METHODS)), st.data())
def test_parameters_fit_or_are_refused(method: str, data: st.DataObject) -> None:
    fields = sorted(METHODS[method].request.model_fields)
    names = st.sampled_from(fields) | st.text(max_size=5) if fields else st.text(max_size=5)
    params = data.draw(st.dictionaries(names, _VALUES, max_size=5))
    try:
        request = checked(method, params)
    except InvalidParams as error:
        refusal = jsonrpc.refusal(1, error)
    else:
        refusal = b""
    if refusal:
        assert len(refusal) < 8000, "what was sent is sent back"
        return
    assert isinstance(request, METHODS[method].request)
    assert set(params) <= set(fields)
    assert not isinstance(request, Change) or request.request_id in (None, params.get("request_id"))


def test_no_other_method_is_known() -> None:
    for name in ("", "agent", "agent.", "rpc.discover", "agent.list ", "AGENT.LIST", "agent.list\0", "__init__"):
        with pytest.raises(DescartesError, match="no method"):
            checked(name, {})
