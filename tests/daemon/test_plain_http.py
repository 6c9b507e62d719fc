"""Each method has a path of its own, in plain JSON."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.tcp_doors import open_doors

pytestmark = pytest.mark.anyio


async def test_a_method_takes_its_parameters_as_the_body(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors:
        answer = await doors.ask("POST", "/rpc/echo", b'{"n": 1}')
        assert (answer.status, answer.json) == (200, {"n": 1})
        assert answer.headers["content-type"] == "application/json"
        assert (await doors.ask("POST", "/rpc/echo")).json == {}
        assert (await doors.ask("POST", "/rpc/echo", b"  ")).json == {}


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/rpc/agent.get", b"{}", 404, "agent_not_found"),
        ("/rpc/nothing", b"{}", 404, "method_not_found"),
        ("/rpc/system.shutdown", b"{}", 409, "agents_alive"),
        ("/rpc/fault", b"{}", 500, "internal_error"),
        ("/rpc/echo", b"[1]", 400, "invalid_request"),
        ("/rpc/echo", b"{", 400, "parse_error"),
        ("/rpc/echo", b"[" * 1000, 400, "parse_error"),
        ("/rpc/echo/more", b"{}", 404, "not_found"),
        ("/rpc/", b"{}", 404, "not_found"),
    ],
)
async def test_an_error_has_its_http_status(tmp_path: Path, path: str, body: bytes, status: int, code: str) -> None:
    async with open_doors(tmp_path) as doors:
        answer = await doors.ask("POST", path, body)
        assert (answer.status, answer.code) == (status, code)
        assert answer.json["error"]["data"]["status"] == status


async def test_the_deepest_nesting_is_configured(tmp_path: Path) -> None:
    async with open_doors(tmp_path, built={"deepest": 5}) as doors:
        assert (await doors.ask("POST", "/rpc/echo", b'{"a":' + b"[" * 4 + b"]" * 4 + b"}")).status == 200
        assert (await doors.ask("POST", "/rpc/echo", b'{"a":' + b"[" * 5 + b"]" * 5 + b"}")).status == 400


async def test_counters_are_read_by_get(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors:
        assert (await doors.ask("GET", "/stats")).json == {"events": 7}
        metrics = await doors.ask("GET", "/metrics")
        assert (metrics.body, metrics.headers["content-type"]) == (
            b"descartes_x 1\n",
            "text/plain; version=0.0.4; charset=utf-8",
        )
        described = await doors.ask("GET", "/openapi.json")
        assert described.json["servers"] == [{"url": f"http://127.0.0.1:{doors.http}"}]
        assert (await doors.ask("POST", "/stats")).status == 405


async def test_metrics_may_be_switched_off(tmp_path: Path) -> None:
    async with open_doors(tmp_path, built={"has_metrics": False}) as doors:
        answer = await doors.ask("GET", "/metrics")
        assert (answer.status, answer.code) == (404, "not_found")


async def test_health_tells_what_is_wrong(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors:
        assert (await doors.ask("GET", "/health")).status == 200
        doors.dispatcher.status = "the disk is full"
        answer = await doors.ask("GET", "/health")
        assert (answer.status, answer.json["status"]) == (503, "the disk is full")
