"""A daemon does what clients of the bus ask, with every command there is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from descartes_core.bus import messages as m
from descartes_core.errors import Conflict, Forbidden, IllegalTransition, InvalidParams, NotHere, Refused
from descartes_core.ids import new_id
from descartes_core.times import written
from tests.support.bare_hub import peer_of
from tests.support.on_the_bus import Caller, joined, running, until
from tests.support.programs import agent

pytestmark = pytest.mark.anyio


async def test_backends_of_the_original_become_commands(short: Path) -> None:
    (short / "bin").mkdir()
    for name in ("claude", "opencode", "aider"):
        (short / "bin" / name).write_text(
            '#!/bin/sh\necho "$(basename $0) $* [$AGENT_CONTEXT] [$AGENT_SYSTEM_PROMPT]"\n'
        )
        (short / "bin" / name).chmod(0o755)
    async with joined(short, "daemon", "ada") as there:
        (ada,) = there.callers
        for backend, said in (
            ("claude", "claude fix it [the shop] [be brief]"),
            ("claude-code-cli", "claude fix it [the shop] [be brief]"),
            ("opencode", "opencode --headless fix it [the shop] [be brief]"),
            ("aider-cli-v2", "aider fix it [the shop] [be brief]"),
        ):
            path = {"PATH": f"{short / 'bin'}:/usr/bin:/bin"}
            config = {"task": "fix it", "context": "the shop", "system_prompt": "be brief", "environment": path}
            spawned = await ada.spawn([], model_backend=backend, **config)
            assert (await ada.all_of(spawned.id)).decode().strip() == said
        with pytest.raises(InvalidParams, match="no backend 'gpt'"):
            await ada.spawn([], model_backend="gpt")


async def test_reading_consumes_nothing(short: Path) -> None:
    async with joined(short, "daemon", "ada") as there:
        (ada,) = there.callers
        script = "echo one; echo two; echo wrong >&2; echo three; exec cat"
        spawned = await ada.spawn(["sh", "-c", script], tty=False)
        await there.inside.until(spawned.id, b"three")
        for _ in range(2):
            read = (await ada.command(spawned.id, "read_stdout")).data
            assert (read["data"], read["bytes"], read["next_offset"], read["ended"]) == (
                b"one\ntwo\nthree\n",
                14,
                14,
                False,
            )
            assert (await ada.command(spawned.id, "read_stderr", tail=3)).data["data"] == b"ng\n"
            assert (await ada.command(spawned.id, "read_stdout", offset=4, limit=3)).data["data"] == b"two"
            lines = (await ada.command(spawned.id, "query_output", max_lines=2)).data
            assert lines == {"stdout": ("two", "three"), "stderr": ("wrong",)}
            query = m.OutputQueryRequest(request_id=new_id(), agent_id=spawned.id, filter="o", offset=1, limit=1)
            found = await ada.ask(query)
            assert (found.lines, found.total_lines, found.has_more) == (("two",), 3, True)
        place = (await ada.command(spawned.id, "stream_logs")).data
        assert place == {"stream": "stdout", "offset": 0, "size": 14}


async def test_lives_go_as_they_are_told(short: Path) -> None:
    async with joined(short, "daemon", "ada") as there:
        (ada,) = there.callers
        spawned = await ada.spawn(agent("echoer"))
        paused = await ada.command(spawned.id, "pause")
        assert (paused.status, paused.data) == ("paused", {"paused": True, "mode": "forced"})
        with pytest.raises(IllegalTransition):
            await ada.command(spawned.id, "pause")
        status = (await ada.command(spawned.id, "get_status")).data
        assert (status["status"], status["pause_mode"]) == ("paused", "forced")
        assert status["started_at"] <= status["paused_at"] <= written(time.time())
        assert (await ada.command(spawned.id, "resume")).data == {"paused": False}
        assert (await ada.command(spawned.id, "signal", signal="stop")).status == "paused"
        assert (await ada.command(spawned.id, "signal", signal="SIGCONT")).status == "running"
        assert (await ada.command(spawned.id, "signal", signal="winch")).data == {"signal": "SIGWINCH"}
        stopped = await ada.command(spawned.id, "stop", grace=0.5)
        assert (stopped.status, stopped.data["is_gone"]) == ("terminated", True)
        other = await ada.spawn(agent("deaf"))
        assert (await ada.command(other.id, "kill")).data["signal"] == "SIGKILL"
        with pytest.raises(Refused):
            await ada.command(other.id, "write_stdin", data=b"x")


async def test_what_is_written_is_written_once(short: Path) -> None:
    async with joined(short, "daemon", "ada") as there:
        (ada,) = there.callers
        spawned = await ada.spawn(["cat"], tty=False)
        for _ in range(2):
            written = await ada.command(spawned.id, "write_stdin", request_id="w", data=b"bytes ")
            assert written.data == {"bytes_written": 6, "written": 6}
        await ada.command(spawned.id, "write_stdin", data="text ")
        await ada.command(spawned.id, "write_stdin", data=[108, 105, 115, 116])
        await ada.command(spawned.id, "write_stdin", text=" and", enter=True, eof=True)
        assert await ada.all_of(spawned.id) == b"bytes text list and\n"


async def test_custom_actions_do_what_they_say(short: Path) -> None:
    async with joined(short, "daemon", "ada") as there:
        (ada,) = there.callers
        environment = {"MODE": "fast", "API_KEY": "sesame"}
        spawned = await ada.spawn(agent("echoer"), environment=environment)
        assert await ada.act(spawned.id, "echo", a=[1, "b"]) == {"echo": {"a": (1, "b")}}
        assert (await ada.act(spawned.id, "ping"))["pong"] is True
        assert await ada.act(spawned.id, "get_env", names=["MODE", "API_KEY"]) == {
            "environment": {"MODE": "fast", "API_KEY": "***"}
        }
        assert await ada.act(spawned.id, "resize", rows=30, cols=100) == {"rows": 30, "cols": 100}
        assert there.inside.agent(spawned.id).row.cols == 100
        assert (await ada.act(spawned.id, "screen"))["cols"] == 100
        assert (await ada.act(spawned.id, "wait", timeout=0.0))["ended"] is False
        with pytest.raises(Forbidden):
            await ada.act(spawned.id, "forget")
        with pytest.raises(InvalidParams, match="echo, ping"):
            await ada.act(spawned.id, "dance")
        by_command = await ada.command(spawned.id, "custom_action", action="echo", params={"x": 1})
        assert by_command.data == {"echo": {"x": 1}}


async def test_many_are_done_the_same_to_each_with_a_result_of_its_own(short: Path) -> None:
    async with joined(short, "daemon", "ada") as there:
        (ada,) = there.callers
        spawned = [await ada.spawn(agent("silent")) for _ in range(2)]
        ids = (spawned[0].id, "nobody", spawned[1].id)

        async def batch(word: m.CommandType, *, fail_fast: bool = False, request_id: str = "") -> Any:
            asked = m.BatchControlCommand(
                request_id=request_id or new_id(), agent_ids=ids, command_type=word, fail_fast=fail_fast
            )
            return await ada.ask(asked)

        answer = await batch("pause", fail_fast=True, request_id="b")
        assert [(one.success, one.status, one.code) for one in answer.results] == [
            (True, "paused", None),
            (False, None, "agent_not_found"),
            (False, None, "refused"),
        ]
        assert await batch("pause", fail_fast=True, request_id="b") == answer
        answer = await batch("kill")
        assert (answer.success, answer.successful, answer.failed) == (False, 2, 1)


async def test_a_list_is_filtered_and_bounded(short: Path) -> None:
    async with joined(short, "daemon", "ada") as there:
        (ada,) = there.callers
        spawned = [await ada.spawn(agent("silent"), name=f"one-{number}") for number in range(3)]
        await ada.command("one-0", "kill")

        async def names(**wanted: Any) -> list[str]:
            answer = await ada.ask(m.ListAgentsRequest(request_id=new_id(), **wanted))
            return [one.name for one in answer.agents]

        assert await names() == ["one-0", "one-1", "one-2"]
        assert await names(filter_status="running") == ["one-1", "one-2"]
        assert await names(limit=1) == ["one-2"]
        assert await names(agent_ids=(spawned[1].id, new_id())) == ["one-1"]
        health = await ada.ask(m.HealthCheckRequest(request_id=new_id()))
        assert (health.healthy, health.active_agents, health.metadata["server_id"]) == (True, 2, "bare")


async def test_clients_that_ask_for_it_are_told_what_happens(short: Path) -> None:
    async with joined(short, "daemon", "ada") as there:
        (ada,) = there.callers
        spawned = await there.inside.spawn(["sh", "-c", "exit 3"], name="brief")
        gone = await ada.until_gone(spawned["id"])
        assert (gone.exit_code, gone.name) == (3, "brief")
        assert {"status_changed", "error"} <= {update.update_type for update in ada.updates}


async def test_a_runner_may_ask_a_daemon_for_nothing(short: Path) -> None:
    async with joined(short, "daemon") as there:
        big = peer_of(there.hub, "big", "runner")
        async with running(big):
            caller = Caller(big, there.name)
            bus = there.inside.daemon.bus.membership.bus
            await until(bus, lambda: "big" in bus.peers)
            with pytest.raises(Forbidden):
                await caller.spawn(agent("silent"))


async def test_a_session_is_known_by_its_new_name(short: Path) -> None:
    async with joined(short, "daemon", "ada") as there:
        (ada,) = there.callers
        await there.inside.call("session.rename", name="storefront")
        await ada.until(lambda: there.name in ada.bus.peers and ada.bus.peers[there.name].title == "storefront")
        assert (await ada.spawn(agent("silent"))).status == "running"


async def test_a_message_that_breaks_something_breaks_nothing_else(
    short: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with joined(short, "daemon", "ada") as there:
        (ada,) = there.callers

        def break_something(_sender: str, message: m.Message) -> None:
            if isinstance(message, m.HealthCheckRequest):
                raise RuntimeError("on purpose")

        there.inside.daemon.bus.membership.bus.subscribe(on_message=break_something)
        for _ in range(3):
            assert (await ada.ask(m.HealthCheckRequest(request_id=new_id()))).healthy
        assert "on purpose" in caplog.text


async def test_a_terminal_is_one_stream(short: Path) -> None:
    async with joined(short, "daemon", "ada") as there:
        (ada,) = there.callers
        spawned = await ada.spawn(agent("silent"))
        with pytest.raises(NotHere):
            await ada.command(spawned.id, "read_stderr")
        early = await ada.command(spawned.id, "write_stdin", channel="c", at=1, data=b"x")
        assert early.code == Conflict.code
