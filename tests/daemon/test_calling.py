"""A call over HTTP has a deadline, and is given up when nobody waits for it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.support.tcp_doors import TOKEN, Doors, open_doors

pytestmark = pytest.mark.anyio


def asking(doors: Doors, path: str) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{doors.http}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    return head.encode()


async def test_what_takes_too_long_is_told_and_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with open_doors(tmp_path, built={"timeout": 0.05}) as doors:
        late = await doors.ask("POST", "/rpc/slow")
        assert (late.status, late.code) == (504, "deadline_over")
        rpc = await doors.rpc({"jsonrpc": "2.0", "id": 1, "method": "slow"})
        assert rpc["error"]["data"]["code"] == "deadline_over"
        doors.dispatcher.go_on.set()
        assert (await doors.ask("POST", "/rpc/slow")).json == {"done": True}
    assert "Traceback" not in caplog.text


async def test_what_waits_on_purpose_is_not_cut_off(tmp_path: Path) -> None:
    async with open_doors(tmp_path, built={"timeout": 0.05}, read_timeout=0.1, idle_timeout=0.1) as doors:
        waiting = asyncio.create_task(doors.ask("POST", "/rpc/agent.wait"))
        late = await doors.ask("POST", "/rpc/slow")
        again = await doors.ask("POST", "/rpc/slow")
        assert (late.status, again.status, waiting.done()) == (504, 504, False)
        doors.dispatcher.go_on.set()
        assert (await waiting).json == {"ended": True}


@pytest.mark.parametrize("body", [b"", json.dumps([{"jsonrpc": "2.0", "id": 1, "method": "agent.wait"}]).encode()])
async def test_who_goes_away_is_not_waited_for(tmp_path: Path, body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with open_doors(tmp_path) as doors:
        _, writer = await asyncio.open_connection("127.0.0.1", doors.http)
        head = asking(doors, "/rpc" if body else "/rpc/agent.wait")
        if body:
            more = b"\r\nContent-Type: application/json\r\nContent-Length: " + str(len(body)).encode()
            head = head.replace(b"\r\n\r\n", more + b"\r\n\r\n")
        writer.write(head + body)
        await doors.dispatcher.asked.wait()
        writer.close()
        async with asyncio.timeout(10):
            while not doors.dispatcher.given_up:
                assert (await doors.ask("GET", "/health")).status == 200
        assert doors.now.http() <= 1
    assert "Traceback" not in caplog.text


async def test_what_changes_something_goes_on_without_its_client(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors:
        _, writer = await asyncio.open_connection("127.0.0.1", doors.http)
        writer.write(asking(doors, "/rpc/slow"))
        await doors.dispatcher.asked.wait()
        writer.close()
        tasks = [task for task in asyncio.all_tasks() if task.get_name() == "http slow"]
        assert (await doors.ask("GET", "/health")).status == 200
        doors.dispatcher.go_on.set()
        assert [await task for task in tasks] == [{"done": True}]
