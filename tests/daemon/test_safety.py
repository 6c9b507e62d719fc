"""From a browser's position, and from a stranger's, nothing answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
import websockets

from descartes_core.messages.common import LARGEST_MESSAGE
from tests.support.tcp_doors import TOKEN, Doors, open_doors, said

pytestmark = pytest.mark.anyio

CALL = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "echo"}).encode()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "box.lan", "[fe80::1]"])
async def test_this_machines_names_are_served(tmp_path: Path, host: str) -> None:
    async with open_doors(tmp_path, hosts=("Box.lan", "fe80::1")) as doors:
        assert (await doors.ask("GET", "/health", token=None, host=f"{host}:{doors.http}")).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1:{port}.evil.example", ""]
)
@pytest.mark.parametrize("path", ["/health", "/rpc"])
async def test_a_name_bound_anew_to_this_machine_is_not_served(tmp_path: Path, host: str, path: str) -> None:
    async with open_doors(tmp_path) as doors:
        answer = await doors.ask("GET", path, host=host.format(port=doors.http))
        assert (answer.status, answer.code) == (403, "forbidden")
        assert doors.dispatcher.calls == []


async def test_without_a_host_nothing_is_served(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors:
        assert (await said(doors.http, b"GET /health HTTP/1.0\r\n\r\n")).status == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:{port}", "http://127.0.0.1", ""])
@pytest.mark.parametrize("path", ["/health", "/rpc"])
async def test_a_page_from_elsewhere_is_not_served(tmp_path: Path, origin: str, path: str) -> None:
    async with open_doors(tmp_path) as doors:
        answer = await doors.ask("GET", path, origin=origin.format(port=doors.http))
        assert (answer.status, answer.code) == (403, "forbidden")


@pytest.mark.parametrize("site", ["cross-site", "same-site", "CROSS-SITE", ""])
async def test_an_image_of_a_page_from_elsewhere_is_not_served(tmp_path: Path, site: str) -> None:
    """It has no Origin; but whether it was loaded told a page that we are here."""
    async with open_doors(tmp_path) as doors:
        assert (await doors.ask("GET", "/health", token=None, sec_fetch_site=site)).status == 403
        for ours in ("none", "same-origin"):
            assert (await doors.ask("GET", "/health", token=None, sec_fetch_site=ours)).status == 200
        own = f"http://127.0.0.1:{doors.http}"
        assert (await doors.ask("POST", "/rpc", CALL, origin=own, sec_fetch_site=site)).status == 200


async def test_our_own_pages_are_served(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors:
        for port in (doors.http, doors.ws):
            assert (await doors.ask("POST", "/rpc", CALL, origin=f"http://127.0.0.1:{port}")).status == 200


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer x", f"Basic {TOKEN}", f"Bearer {TOKEN}x", TOKEN, "Bearer \xff"]
)
async def test_without_the_token_nothing_but_health_answers(tmp_path: Path, authorization: str | None) -> None:
    async with open_doors(tmp_path) as doors:
        for method, path in (("POST", "/rpc"), ("POST", "/shutdown"), ("GET", "/nothing"), ("POST", "/health")):
            answer = await doors.ask(method, path, CALL, token=None, authorization=authorization)
            assert (answer.status, answer.code) == (401, "unauthorized")
            assert answer.headers["www-authenticate"] == "bearer"
        assert doors.dispatcher.calls == []
        assert (await doors.ask("GET", "/health", token=None, authorization=authorization)).status == 200


async def test_the_schemes_case_does_not_matter(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors:
        assert (await doors.ask("POST", "/rpc", CALL, token=None, authorization=f"bearer {TOKEN}")).status == 200


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "application/json5", ""])
async def test_a_forms_content_is_not_taken(tmp_path: Path, kind: str | None) -> None:
    async with open_doors(tmp_path) as doors:
        answer = await doors.ask("POST", "/rpc", CALL, content_type=kind)
        assert (answer.status, answer.code) == (403, "forbidden")
        assert doors.dispatcher.calls == []


async def test_json_may_name_its_letters(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors:
        assert (await doors.ask("POST", "/rpc", CALL, content_type="Application/JSON; charset=utf-8")).status == 200


async def test_the_largest_message_is_taken_and_one_byte_more_is_not(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors:
        for extra, status in ((0, 200), (1, 413)):
            body = CALL + b" " * (LARGEST_MESSAGE - len(CALL) + extra)
            assert (await doors.ask("POST", "/rpc", body)).status == status
            chunk = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
            chunked = await doors.ask("POST", "/rpc", chunk, content_length=None, transfer_encoding="chunked")
            assert chunked.status == status


async def test_a_body_that_is_only_promised_is_refused_at_once(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors:
        answer = await doors.ask("POST", "/rpc", b"{", content_length="1000000000000", connection=None)
        assert (answer.status, answer.code) == (413, "too_large")


async def test_a_refused_body_does_not_spoil_the_connection(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors:
        head = f"Host: 127.0.0.1:{doors.http}\r\nAuthorization: Bearer {TOKEN}\r\n"
        first = (
            f"POST /rpc HTTP/1.1\r\n{head}Content-Type: text/plain\r\nContent-Length: 100000\r\n\r\n" + "x" * 100_000
        )
        second = f"GET /health HTTP/1.1\r\n{head}Connection: close\r\n\r\n"
        answer = await said(doors.http, (first + second).encode())
        assert answer.status == 403
        assert b"HTTP/1.1 200" in answer.body


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "unauthorized"),
        ({"Authorization": "Bearer x"}, "unauthorized"),
        ({"Authorization": f"Bearer {TOKEN}", "Origin": "http://evil.example"}, "forbidden"),
        ({"Authorization": f"Bearer {TOKEN}", "Host": "evil.example"}, "forbidden"),
    ],
)
async def test_a_websocket_is_refused_before_it_is_accepted(tmp_path: Path, headers: dict[str, str], code: str) -> None:
    async with open_doors(tmp_path) as doors:
        answer = await upgraded(doors, headers)
        assert (answer.status, answer.code) == (403, code)


async def upgraded(doors: Doors, headers: dict[str, str], path: str = "/events", *, port: int = 0) -> Any:
    """Ask for a WebSocket by hand: a client library insists on its own Host."""
    port = port or doors.ws
    asked = {
        "Host": f"127.0.0.1:{port}",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    } | headers
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in asked.items())]
    return await said(port, "\r\n".join(lines).encode() + b"\r\n\r\n")


async def test_our_own_pages_may_listen(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors, doors.listen(origin=f"http://127.0.0.1:{doors.http}") as socket:
        await socket.ping()


async def test_a_frame_beyond_the_limit_ends_only_its_connection(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors:
        async with doors.listen() as socket:
            with contextlib.suppress(websockets.ConnectionClosed):  # it may be closed before all is sent
                await socket.send("x" * (LARGEST_MESSAGE + 1))
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await socket.recv()
            assert closed.value.rcvd is None or closed.value.rcvd.code == 1009
        assert (await doors.ask("GET", "/health")).status == 200


@pytest.mark.parametrize(
    "request_bytes", [b"\x00\xff\r\n\r\n", b"GET /health\r\n\r\n", b"GET " + b"/" * 100_000 + b" HTTP/1.1\r\n\r\n"]
)
async def test_what_is_no_http_is_refused(
    tmp_path: Path, request_bytes: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_doors(tmp_path) as doors, asyncio.timeout(10):
        assert (await said(doors.http, request_bytes)).status == 400
        assert (await doors.ask("GET", "/health")).status == 200
        assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ("Content-Length: 60\r\nTransfer-Encoding: chunked", 400),
        ("Content-Length: 1\r\nContent-Length: 60", 400),
        ("Content-Length: 1, 60", 400),
        ("Content-Length: +1", 400),
        ("Content-Length: -1", 400),
        ("Content-Length: 99999999999999999999999", 400),
        ("Transfer-Encoding: gzip, chunked", 400),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", 400),
        ("Transfer-Encoding : chunked", 400),
        ("Host: 127.0.0.1:{port}", 400),
        ("\0: x", 400),
        ("X: " + "y" * 20_000, 413),
        ("\r\n".join(f"X-{n}: y" for n in range(150)), 413),
    ],
)
async def test_a_head_that_two_readers_would_read_differently_is_refused(
    tmp_path: Path, lines: str, status: int
) -> None:
    async with open_doors(tmp_path) as doors:
        head = f"POST /rpc HTTP/1.1\r\nHost: 127.0.0.1:{{port}}\r\nAuthorization: Bearer {TOKEN}\r\n{lines}\r\n"
        head = head.replace("{port}", str(doors.http)) + "Content-Type: application/json\r\nConnection: close\r\n\r\n"
        answer = await said(doors.http, head.encode() + b"0\r\n\r\n" + CALL)
        assert answer.status == status
        assert answer.headers["content-type"] == "application/json"
        assert b"HTTP/1.1 200" not in answer.body
        assert doors.dispatcher.calls == []


@pytest.mark.parametrize("path", ["/rpc?token=", "/stats?access_token=", "/rpc/system.shutdown?Token="])
async def test_the_token_is_never_taken_from_an_address(
    tmp_path: Path, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_doors(tmp_path) as doors:
        answer = await doors.ask("POST", path + TOKEN, CALL, token=None)
        assert (answer.status, answer.code) == (401, "unauthorized")
        assert "address" in answer.json["error"]["message"]
        assert (await upgraded(doors, {}, f"/events?token={TOKEN}")).status == 403
        assert TOKEN not in caplog.text


async def test_a_refused_body_that_never_comes_is_not_waited_for(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors, asyncio.timeout(10):
        answer = await doors.ask("POST", "/rpc", b"{", token=None, content_length="100")
        assert (answer.status, answer.headers["connection"]) == (401, "close")


async def test_the_port_of_metrics_serves_nothing_else(tmp_path: Path) -> None:
    async with open_doors(tmp_path, with_metrics_port=True) as doors:
        at = {"port": doors.metrics, "token": None}
        metrics = await doors.ask("GET", "/metrics", **at)
        assert (metrics.status, metrics.body) == (200, b"descartes_x 1\n")
        for method, path in [
            ("GET", "/health"),
            ("POST", "/rpc"),
            ("POST", "/metrics"),
            ("GET", "/"),
            ("GET", "/stats"),
        ]:
            for token in (None, TOKEN):
                assert (await doors.ask(method, path, port=doors.metrics, token=token)).status == 404
        assert (await doors.ask("GET", "/metrics", host="evil.example", **at)).status == 403
        assert (await doors.ask("GET", "/metrics", origin="http://evil.example", **at)).status == 403
        assert (await upgraded(doors, {"Authorization": f"Bearer {TOKEN}"}, port=doors.metrics)).status == 404
        assert (await doors.ask("GET", "/metrics", token=None)).status == 401
