"""The Unix door answers every line, and bad ones harm nobody."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
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
        (b'{"jsonrpc":"2.0","id":1,"method":"system.health","params":[]}', (1, -32602, "invalid_params")),
        (b'{"jsonrpc":"2.0","id":1,"method":"system.health","params":7}', (None, -32600, "invalid_request")),
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
        for depth, code in ((62, (1, -32602, "invalid_params")), (63, (None, -32700, "parse_error"))):
            deep = b"[" * depth + b"]" * depth
            line = b'{"jsonrpc":"2.0","id":1,"method":"agent.spawn","params":{"command":' + deep + b"}}"
            assert code_of(await connection.say(line)) == code
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
        whole = b"".join(call("session.info", number) + b"\n" for number in range(50))
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


def configure(short: Path, **server: int) -> None:
    (short / "home").mkdir()
    lines = "".join(f"{name} = {value}\n" for name, value in server.items())
    (short / "home" / "config.toml").write_text(f"[server]\n{lines}")


async def test_a_connection_too_many_takes_the_place_of_the_one_idle_for_longest(short: Path) -> None:
    configure(short, max_connections=3)
    async with open_inside(short) as inside:
        spoke, silent, half = [await inside.line() for _ in range(3)]
        await still_answers(spoke)
        half.writer.write(b'{"jsonrpc"')
        await still_answers(fourth := await inside.line())
        assert code_of(await silent.heard())[2] == "limit_reached"
        assert await silent.heard() is None
        await still_answers(await inside.line())
        assert code_of(await half.heard())[2] == "limit_reached"
        await still_answers(await inside.line())
        assert code_of(await spoke.heard())[2] == "limit_reached"
        await still_answers(fourth)


async def test_a_connection_too_many_is_refused_when_all_are_busy(short: Path) -> None:
    configure(short, max_connections=2)
    async with open_inside(short) as inside:
        spawned = await inside.spawn(agent("silent"))
        waiting, attached = await inside.line(), await inside.line()
        await attached.call("agent.attach", agent_id=spawned["id"])
        waiting.writer.write(call("agent.wait", 1, agent_id=spawned["id"], timeout=20.0) + b"\n")
        while not any(one._reads for one in inside.daemon.door.connections):  # taken by the daemon
            await waiting.writer.drain()
            await (await inside.line()).heard()
        third = await inside.line()
        assert code_of(await third.heard())[2] == "limit_reached"
        assert await third.heard() is None
        await waiting.close()
        await attached.frame("screen")
        fourth = await inside.line()
        while await fourth.say(call("agent.kill", agent_id=spawned["id"])) is None:
            fourth = await inside.line()


async def test_hundreds_that_say_nothing_keep_nobody_out(short: Path) -> None:
    configure(short, max_connections=50)
    async with open_inside(short) as inside:
        for _ in range(300):
            await inside.line()
        assert len(inside.daemon.door.connections) <= 50
        await still_answers(await inside.line())


async def test_half_lines_together_are_bounded(short: Path) -> None:
    """Each may be as long as a message; a thousand of them were ten gigabytes."""
    configure(short, max_message=1024 * 1024)
    async with open_inside(short) as inside:
        halves = [await inside.line() for _ in range(8)]
        for number, half in enumerate(halves):
            half.writer.write(b"x" * (1_000_000 - number))
            await half.writer.drain()
        await still_answers(await inside.line())
        assert sum(one.held for one in inside.daemon.door.connections) <= 4 * 1024 * 1024
        answers = [await half.heard() for half in halves[:3]]
        assert {code_of(answer)[2] for answer in answers} == {"too_large"}


async def test_the_limits_are_configured(short: Path) -> None:
    configure(short, max_message=2048, max_nesting=4)
    async with open_inside(short) as inside:
        connection = await inside.line()
        assert code_of(await connection.say(b"x" * 2049))[2] == "too_large"
        deep = call("agent.get", agent_id=[[[]]])
        assert code_of(await connection.say(deep))[2] == "parse_error"
        assert code_of(await connection.say(call("agent.get", agent_id=[[]])))[2] == "invalid_params"


async def test_a_pipeline_of_one_does_not_keep_others_waiting(short: Path) -> None:
    async with open_inside(short) as inside:
        greedy, modest = await inside.line(), await inside.line()
        await still_answers(modest)
        before = inside.daemon.dispatcher.requests
        greedy.writer.write(b'{"jsonrpc":"2.0","method":"session.info"}\n' * 3000)
        greedy.writer.write(call("session.info", "last") + b"\n")
        await modest.call("session.info")
        assert inside.daemon.dispatcher.requests - before < 500
        assert (await greedy.heard())["id"] == "last"
        assert inside.daemon.dispatcher.requests - before == 3002


async def test_who_goes_away_leaves_no_call_behind(short: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(agent("silent"))
        tasks = len(asyncio.all_tasks())
        connection = await inside.line()
        for number in range(30):
            connection.writer.write(call("agent.wait", number, agent_id=spawned["id"], timeout=200.0) + b"\n")
        connection.writer.write(call("agent.pause", 99, agent_id=spawned["id"]) + b"\n")
        while inside.agent(spawned["id"]).row.state != "paused":
            await inside.call("system.health")
        connection.writer.transport.abort()
        async with asyncio.timeout(10):
            while len(asyncio.all_tasks()) > tasks:
                await inside.call("system.health")
        assert "socket.send" not in caplog.text


async def test_a_fault_of_ours_is_told_as_an_event_and_not_again_and_again(short: Path) -> None:
    async with open_inside(short) as inside:

        def fault(_request: object) -> dict[str, Any]:
            raise ZeroDivisionError("a secret of the inside")

        inside.daemon.dispatcher.reads("session.info", fault)
        connection = await inside.line()
        since = (await inside.call("event.list"))["last_seq"]
        for _ in range(3):
            assert code_of(await connection.say(call("session.info"))) == (1, -32603, "internal_error")
        await still_answers(connection)
        (event,) = (await inside.call("event.list", since=since, wait=10.0))["events"]
        told = (event["type"], event["event_type"], event["data"])
        assert told == ("SystemEvent", "error", {"where": "session.info", "kind": "ZeroDivisionError"})


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


async def test_where_all_are_busy_a_process_with_most_of_them_makes_room(short: Path) -> None:
    """A thousand waits of one process kept everybody else from looking and from killing."""
    configure(short, max_connections=4)
    async with open_inside(short) as inside:
        spawned = await inside.spawn(agent("silent"))
        attached = await inside.line()
        await attached.call("agent.attach", agent_id=spawned["id"])
        waiting = [await inside.line() for _ in range(3)]
        for line in waiting:
            line.writer.write(call("agent.wait", 1, agent_id=spawned["id"], timeout=20.0) + b"\n")
        await until_busy(inside)
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-c", ASKED, inside.daemon.endpoints.socket], stdout=asyncio.subprocess.PIPE
        )
        told, _ = await process.communicate()
        assert json.loads(told)["result"]["status"] == "healthy"
        assert await attached.frame("none of this kind") is None
        assert sum(bool(one._reads) for one in inside.daemon.door.connections) == 3


ASKED = """
import socket, sys
asked = socket.socket(socket.AF_UNIX)
asked.connect(sys.argv[1])
asked.sendall(b'{"jsonrpc":"2.0","id":1,"method":"system.health"}\\n')
print(asked.makefile().readline())
"""


async def until_busy(inside: Inside) -> None:
    async with asyncio.timeout(20):
        while any(one.is_idle for one in inside.daemon.door.connections):
            await asyncio.wait([asyncio.create_task(turn())])


async def turn() -> None:
    return None


async def test_a_crowd_waits_at_the_socket(short: Path) -> None:
    """Beyond a hundred the kernel refused, and commands said that the daemon does not answer."""
    async with open_inside(short) as inside:
        with contextlib.ExitStack() as stack:
            for _ in range(300):
                early = stack.enter_context(socket.socket(socket.AF_UNIX))
                early.setblocking(False)
                early.connect(inside.daemon.endpoints.socket)
            await still_answers(await inside.line())
