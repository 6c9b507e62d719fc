"""What the HTTP door answers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import websockets

from descartes_daemon import app
from tests.support.tcp_doors import open_doors

pytestmark = pytest.mark.anyio


def call(method: str, identity: Any = 1, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identity, "method": method, "params": params}


async def test_health_needs_no_token(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors:
        answer = await doors.ask("GET", "/health", token=None)
        assert (answer.status, answer.json) == (200, {"status": "healthy", "service": "descartes-daemon"})
        assert answer.headers["content-length"] == str(len(answer.body))
        assert answer.headers["content-type"] == "application/json"
        assert not {"server", "date", "access-control-allow-origin"} & set(answer.headers)


async def test_no_path_is_compiled_that_was_warmed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    re.purge()
    app.warm()
    compiled = list[str]()
    compiler = re._compiler  # type: ignore[attr-defined]
    plain = compiler.compile

    def note(pattern: str, flags: int = 0) -> re.Pattern[str]:
        compiled.append(pattern)
        made: re.Pattern[str] = plain(pattern, flags)
        return made

    monkeypatch.setattr(compiler, "compile", note)
    async with open_doors(tmp_path):
        assert [pattern for pattern in compiled if pattern.startswith("^/")] == []


async def test_a_sick_store_is_told(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors:
        doors.dispatcher.status = "cannot write state.db: database or disk is full"
        answer = await doors.ask("GET", "/health", token=None)
        assert (answer.status, answer.json["status"]) == (503, "cannot write state.db: database or disk is full")


@pytest.mark.parametrize("method", ["echo", "later"])
async def test_a_call_is_answered(tmp_path: Path, method: str) -> None:
    async with open_doors(tmp_path) as doors:
        assert await doors.rpc(call(method, "seven", word="é")) == {
            "jsonrpc": "2.0",
            "id": "seven",
            "result": {"word": "é"},
        }
        ((name, params, client),) = doors.dispatcher.calls
        assert (name, params) == (method, {"word": "é"})
        assert client.startswith("http 127.0.0.1:")


async def test_refusals_are_answers(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors:
        answer = await doors.rpc(call("agent.get"))
        assert answer["error"] == {
            "code": -32002,
            "message": "no agent is called x",
            "data": {"code": "agent_not_found", "status": 404},
        }


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b"\xff\xfe", -32700),
        (b"[" * 100_000, -32700),
        (b"7", -32600),
        (b"{}", -32600),
        (b"[]", -32600),
        (json.dumps([call("echo")] * 101).encode(), -32600),
        (json.dumps(call("echo") | {"params": [1]}).encode(), -32602),
        (json.dumps(call("nothing")).encode(), -32601),
    ],
)
async def test_nonsense_is_refused(tmp_path: Path, body: bytes, code: int) -> None:
    async with open_doors(tmp_path) as doors:
        assert (await doors.rpc(body))["error"]["code"] == code


@pytest.mark.parametrize("broken", [call("fault"), call("later", fault=True)])
async def test_a_fault_of_ours_is_told_in_the_log_only(
    tmp_path: Path, broken: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with open_doors(tmp_path) as doors:
        answer = await doors.rpc(broken)
        assert answer["error"]["data"] == {"code": "internal_error", "status": 500}
        assert answer["error"]["code"] == -32603
        assert "secret" not in json.dumps(answer)
        assert "a secret of the inside" in caplog.text
        assert await doors.rpc(call("echo"))


async def test_an_array_is_answered_in_order_without_its_notifications(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors:
        notification = {"jsonrpc": "2.0", "method": "echo", "params": {"n": 2}}
        answers = await doors.rpc([call("echo", 1, n=1), notification, call("agent.get", 3), 7, call("later", 5)])
        assert [(answer["id"], "result" in answer) for answer in answers] == [
            (1, True),
            (3, False),
            (None, False),
            (5, True),
        ]
        assert await doors.rpc([notification, notification]) is None
        assert await doors.rpc(notification) is None
        assert len(doors.dispatcher.calls) == 7


async def test_shutdown_takes_a_body_or_none(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors:
        refused = await doors.ask("POST", "/shutdown")
        assert (refused.status, refused.code) == (409, "agents_alive")
        done = await doors.ask("POST", "/shutdown", b'{"force": true}')
        assert (done.status, done.json) == (200, {"ended": ["a"]})
        wrong = await doors.ask("POST", "/shutdown", b"[1]")
        assert (wrong.status, wrong.code) == (400, "invalid_request")
        torn = await doors.ask("POST", "/shutdown", b"{")
        assert (torn.status, torn.code) == (400, "parse_error")


async def test_what_is_not_there_is_told_as_json(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors:
        missing = await doors.ask("GET", "/nothing")
        assert (missing.status, missing.code) == (404, "not_found")
        wrong = await doors.ask("GET", "/rpc")
        assert (wrong.status, wrong.code, wrong.headers["allow"]) == (405, "invalid_request", "post")


async def test_each_port_serves_its_own(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors:
        for path in ("/health", "/rpc", "/events"):
            assert (await doors.ask("GET", path, port=doors.ws)).status == 404
        for options in ({"port": doors.http}, {"path": "/nothing"}):
            with pytest.raises(websockets.InvalidStatus) as refused:
                async with doors.listen(**options):
                    pass
            assert refused.value.response.status_code == 404
            assert json.loads(refused.value.response.body)["error"]["data"]["code"] == "not_found"
