"""The Unix door answers every line, and bad ones harm nobody."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import AgentNotFound, InvalidParams, InvalidRequest, MethodNotFound
from descartes_core.messages.common import LARGEST_MESSAGE
from tests.support.inside import Inside, Line, open_inside
from tests.support.programs import agent

pytestmark = pytest.mark.anyio


def call(method: str, identity: Any = 1, **params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": identity, "method": method, "params": params}).encode()


async def still_answers(line: Line) -> None:
    assert (await line.call("system.health"))["status"] == "healthy"


def code_of(answer: Any) -> tuple[Any, int, str]:
    return answer["id"], answer["error"]["code"], answer["error"]["data"]["code"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"nonsense", (None, -32700, "parse_error")),
        (b"\xff\xfe", (None, -32700, "parse_error")),
        (b'{"jsonrpc": "2.0"', (None, -32700, "parse_error")),
        (b"[" * 10_000, (None, -32700, "parse_error")),
        (b"9" * 5000, (None, -32700, "parse_error")),
        (b"null", (None, -32600, "invalid_request")),
        (b"[]", (None, -32600, "invalid_request")),
        (b'[{"jsonrpc":"2.0","id":1,"method":"system.health"}]', (None, -32600, "invalid_request")),
        (b'{"id":1,"method":"system.health"}', (None, -32600, "invalid_request")),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', (None, -32600, "invalid_request")),
        (b'{"jsonrpc":"2.0","id":1,"method":"system.health","params":[]}', (None, -32600, "invalid_request")),
        (b'{"jsonrpc":"2.0","id":[],"method":"system.health"}', (None, -32600, "invalid_request")),
        (call("no.such"), (1, -32601, "method_not_found")),
        (call("agent.get"), (1, -32602, "invalid_params")),
        (call("agent.get", agent_id=5), (1, -32602, "invalid_params")),
        (call("agent.get", agent_id="x", more=1), (1, -32602, "invalid_params")),
        (call("agent.get", "an id", agent_id="nobody"), ("an id", -32002, "agent_not_found")),
        (call("agent.attach", agent_id="nobody"), (1, -32002, "agent_not_found")),
        (call("agent.attach"), (1, -32602, "invalid_params")),
    ],
    ids=lambda one: one.decode(errors="replace")[:40] if isinstance(one, bytes) else "",
)
async def test_a_bad_line_is_refused_and_the_next_is_answered(
    short: Path, line: bytes, code: tuple[Any, int, str]
) -> None:
    async with open_inside(short) as inside:
        connection = await inside.line()
        assert code_of(await connection.say(line)) == code
        await still_answers(connection)


async def test_deep_parameters_harm_nobody(short: Path) -> None:
    async with open_inside(short) as inside:
        connection = await inside.line()
        deep = b"[" * 900 + b"]" * 900
        line = b'{"jsonrpc":"2.0","id":1,"method":"agent.spawn","params":{"command":' + deep + b"}}"
        assert code_of(await connection.say(line)) == (1, -32602, "invalid_params")
        await still_answers(connection)


@pytest.mark.parametrize("length", [LARGEST_MESSAGE + 1, 3 * LARGEST_MESSAGE])
async def test_a_line_that_is_too_long_is_refused_and_the_next_is_answered(short: Path, length: int) -> None:
    """Closing at once would take the refusal along: unread bytes reset a Unix connection."""
    async with open_inside(short) as inside:
        connection = await inside.line()
        assert code_of(await connection.say(b"x" * length))[2] == "too_large"
        await still_answers(connection)


async def test_the_longest_line_is_taken(short: Path) -> None:
    async with open_inside(short) as inside:
        connection = await inside.line()
        bare = call("agent.get", agent_id="x", more="")
        line = call("agent.get", agent_id="x", more="y" * (LARGEST_MESSAGE - len(bare)))
        assert len(line) == LARGEST_MESSAGE
        assert code_of(await connection.say(line))[2] == "invalid_params"
        await still_answers(connection)


async def test_a_notification_is_done_and_not_answered(short: Path) -> None:
    async with open_inside(short) as inside:
        connection = await inside.line()
        connection.writer.write(b'{"jsonrpc":"2.0","method":"system.health"}\n')
        connection.writer.write(b'{"jsonrpc":"2.0","method":"agent.spawn","params":{"command":["true"]}}\n')
        connection.writer.write(b'{"jsonrpc":"2.0","method":"no.such"}\n\n  \n')
        while not (await connection.call("agent.list", all=True))["agents"]:
            pass


async def test_lines_may_come_in_pieces_and_together(short: Path) -> None:
    async with open_inside(short) as inside:
        connection = await inside.line()
        whole = b"".join(call("system.stats", number) + b"\n" for number in range(50))
        for start in range(0, len(whole), 7):
            connection.writer.write(whole[start : start + 7])
            await connection.writer.drain()
        assert [(await connection.heard())["id"] for _ in range(50)] == list(range(50))


async def test_many_calls_are_under_way_at_once(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(agent("echoer"))
        await inside.until(spawned["id"], b"ready")
        connection = await inside.line()
        for number in range(200):
            connection.writer.write(call("agent.wait", number, agent_id=spawned["id"], timeout=20.0) + b"\n")
        await inside.call("agent.write", agent_id=spawned["id"], text="exit 3\n")
        answers = [await connection.heard() for _ in range(200)]
        assert {answer["id"] for answer in answers} == set(range(200))
        assert {answer["result"]["agent"]["exit_code"] for answer in answers} == {3}


async def test_who_does_not_read_answers_is_not_read_either(short: Path) -> None:
    """Answers to somebody who never takes one once grew without bound."""
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["sh", "-c", "head -c 30000 /dev/zero"])
        await inside.ended(spawned["id"])
        connection = await inside.line()
        connection.writer.transport.pause_reading()  # type: ignore[attr-defined]
        asked = call("agent.output", agent_id=spawned["id"], limit=1 << 20) + b"\n"
        sent = asyncio.create_task(flood(connection, asked, 1000))
        before = -1
        while before != (before := inside.daemon.dispatcher.requests):
            for _ in range(20):
                await inside.call("system.health")
            before += 20
        assert inside.daemon.dispatcher.requests < 600
        connection.writer.transport.resume_reading()  # type: ignore[attr-defined]
        for _ in range(1000):
            assert (await connection.heard())["result"]["next_offset"] == 30_000
        await sent


async def flood(connection: Line, line: bytes, times: int) -> None:
    for _ in range(times):
        connection.writer.write(line)
        await connection.writer.drain()


async def test_a_connection_too_many_is_told(short: Path) -> None:
    (short / "home").mkdir()
    (short / "home" / "config.toml").write_text("[server]\nmax_connections = 2\n")
    async with open_inside(short) as inside:
        first, second = await inside.line(), await inside.line()
        await still_answers(first)
        await still_answers(second)
        third = await inside.line()
        assert code_of(await third.heard())[2] == "limit_reached"
        assert await third.heard() is None
        await first.close()
        await still_answers(second)
        await answered_again(inside)


async def answered_again(inside: Inside) -> None:
    line = await inside.line()
    while (await line.say(call("system.health"))).get("error") is not None:
        line = await inside.line()


async def test_attach_stands_alone_on_its_connection(short: Path) -> None:
    """Answers of other calls would stand between the frames."""
    async with open_inside(short) as inside:
        spawned = await inside.spawn(agent("echoer"))
        connection = await inside.line()
        connection.writer.write(call("agent.wait", 1, agent_id=spawned["id"], timeout=1.0) + b"\n")
        assert code_of(await connection.say(call("agent.attach", 2, agent_id=spawned["id"]))) == (
            2,
            -32600,
            "invalid_request",
        )
        assert (await connection.heard())["id"] == 1


async def test_after_a_refused_attach_lines_go_on(short: Path) -> None:
    async with open_inside(short) as inside:
        connection = await inside.line()
        connection.writer.write(call("agent.attach", 1, agent_id="nobody") + b"\n" + call("system.health", 2) + b"\n")
        assert code_of(await connection.heard())[2] == "agent_not_found"
        assert (await connection.heard())["id"] == 2


async def test_errors_have_their_classes(short: Path) -> None:
    async with open_inside(short) as inside:
        line = await inside.line()
        for error, method, params in [
            (MethodNotFound, "agent.nonsense", {}),
            (InvalidParams, "agent.get", {}),
            (AgentNotFound, "agent.get", {"agent_id": "x"}),
        ]:
            with pytest.raises(error):
                await line.call(method, **params)
        with pytest.raises(InvalidRequest, match="Unix socket"):
            inside.daemon.dispatcher.call("agent.attach", {"agent_id": "x"}, client="web")
