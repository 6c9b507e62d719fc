"""Whatever a command carries, it is answered in its own form, and never with a fault of ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from descartes_core.bus import messages as m
from descartes_core.errors import DescartesError
from descartes_core.ids import new_id
from tests.support.on_the_bus import joined
from tests.support.programs import agent

pytestmark = pytest.mark.anyio

ODD: list[Any] = [None, True, -1, 2**62, float("inf"), "", "a\0b", "é" * 5000, b"\xff", ["a"], {"a": 1}]
KEYS = {
    "stop": ("grace",),
    "write_stdin": ("data", "text", "enter", "paste", "eof", "channel", "at"),
    "read_stdout": ("offset", "tail", "limit"),
    "read_stderr": ("offset", "tail", "limit"),
    "signal": ("signal",),
    "custom_action": ("action", "params"),
    "query_output": ("max_lines", "stdout", "stderr", "filter"),
    "stream_logs": ("stream", "offset"),
}
ACTIONS = {
    "echo": ("a",),
    "get_env": ("names",),
    "resize": ("rows", "cols"),
    "screen": ("format",),
    "wait": ("timeout",),
    "forget": (),
    "ping": (),
}


def payloads(keys: tuple[str, ...]) -> Iterator[dict[str, Any] | None]:
    yield None
    yield {"unknown": 1}
    for key in keys:
        for odd in ODD:
            yield {key: odd}
    if keys:
        yield dict.fromkeys(keys, ODD[-1])


async def test_no_payload_is_a_fault_of_ours(short: Path) -> None:
    async with joined(short, "daemon", "ada") as there:
        (ada,) = there.callers
        spawned = await ada.spawn(agent("silent"))
        codes: set[str] = set()

        async def tried(request: m.Request) -> None:
            code = "none"
            try:
                await ada.ask(request)
            except DescartesError as error:
                code = error.code
            assert code != "internal_error", request
            codes.add(code)

        for word in get_args(m.CommandType):
            for payload in payloads(KEYS.get(word, ())):
                if word in ("stop", "kill") and there.inside.daemon.agents.in_memory(spawned.id) is None:
                    spawned = await ada.spawn(agent("silent"))
                command = m.ControlCommand(request_id=new_id(), agent_id=spawned.id, command_type=word, payload=payload)
                await tried(command)
            if there.inside.daemon.agents.in_memory(spawned.id) is None:
                spawned = await ada.spawn(agent("silent"))
            await tried(m.ControlCommand(request_id=new_id(), agent_id=spawned.id, command_type="resume"))
        for action, keys in ACTIONS.items():
            for params in payloads(keys):
                if action == "wait" and (params or {}).get("timeout") is None:
                    continue  # whoever leaves it out waits for minutes, and is right
                await tried(
                    m.CustomActionRequest(request_id=new_id(), agent_id=spawned.id, action=action, params=params)
                )
        for odd in ("", "x", "é" * 80, "\0"):
            await tried(m.SpawnRequest(request_id=new_id(), config=m.AgentConfig(command=(odd,), name=odd)))
            await tried(
                m.SpawnRequest(request_id=new_id(), config=m.AgentConfig(command=("true",), agent_id=odd or "-"))
            )
            await tried(
                m.SpawnRequest(request_id=new_id(), config=m.AgentConfig(command=("true",), environment={odd: "x"}))
            )
            await tried(m.OutputQueryRequest(request_id=new_id(), agent_id=spawned.id, filter=f"[{odd}"))
        assert {"none", "invalid_params", "forbidden"} <= codes
