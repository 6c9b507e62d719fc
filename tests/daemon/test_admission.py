"""A page of ours shows the token as a subprotocol or in its first message, and nobody else gets in that way."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import websockets
from starlette.types import Message, Receive, Scope, Send

from descartes_daemon.admission import LARGEST_FIRST, FirstMessage, Token
from tests.support.tcp_doors import TOKEN, Doors, open_doors

pytestmark = pytest.mark.anyio

AUTH = json.dumps({"type": "auth", "token": TOKEN})
SUBSCRIBE = '{"type": "Subscribe"}'


def page(doors: Doors, path: str = "/events", **options: Any) -> websockets.connect:
    """Connect as a page of ours does: with an Origin, and without any header of its own."""
    return doors.listen(path, additional_headers={}, origin=f"http://127.0.0.1:{doors.http}", **options)


@contextlib.asynccontextmanager
async def closing(connection: websockets.ClientConnection) -> AsyncIterator[list[tuple[int, str]]]:
    """Give what a connection is closed with."""
    told: list[tuple[int, str]] = []
    yield told
    with pytest.raises(websockets.ConnectionClosed) as closed:
        async with asyncio.timeout(10):
            await connection.recv()
    assert closed.value.rcvd is not None
    told.append((closed.value.rcvd.code, closed.value.rcvd.reason))


async def test_a_page_shows_the_token_as_a_subprotocol(tmp_path: Path) -> None:
    offered = ["descartes", f"descartes.token.{TOKEN}"]
    async with open_doors(tmp_path) as doors, page(doors, subprotocols=offered) as socket:
        assert socket.subprotocol == "descartes"
        await socket.send(SUBSCRIBE)
        assert json.loads(await socket.recv())["type"] == "SubscriptionConfirmed"


@pytest.mark.parametrize(
    "offered",
    [
        ["descartes", "descartes.token.wrong"],
        ["descartes", f"descartes.token.{TOKEN}x"],
        [f"descartes.token.{TOKEN}"],
        ["descartes", f"descartes.token.{TOKEN}", f"descartes.token.{TOKEN}"],
        ["descartes", f"descartes.token.{TOKEN}", "descartes.token.wrong"],
    ],
)
async def test_a_wrong_subprotocol_is_refused_before_the_websocket_is_accepted(
    tmp_path: Path, offered: list[str]
) -> None:
    async with open_doors(tmp_path) as doors:
        with pytest.raises(websockets.InvalidStatus) as refused:
            async with page(doors, subprotocols=offered):
                pass
        assert refused.value.response.status_code == 403


async def test_the_plain_subprotocol_is_selected_for_a_client_with_a_header_too(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors, doors.listen(subprotocols=["other", "descartes"]) as socket:
        assert socket.subprotocol == "descartes"


@pytest.mark.parametrize("offered", [None, ["descartes"]])
async def test_a_page_shows_the_token_in_its_first_message(tmp_path: Path, offered: list[str] | None) -> None:
    async with open_doors(tmp_path) as doors, page(doors, subprotocols=offered) as socket:
        await socket.send(AUTH)
        await socket.send(SUBSCRIBE)
        assert json.loads(await socket.recv())["type"] == "SubscriptionConfirmed"
        assert socket.subprotocol == (offered[0] if offered else None)


@pytest.mark.parametrize(
    "first",
    [
        SUBSCRIBE,
        AUTH.encode(),
        "",
        "null",
        "[" * 4000,
        json.dumps({"type": "auth"}),
        json.dumps({"type": "auth", "token": 7}),
        json.dumps({"type": "auth", "token": ""}),
        json.dumps({"type": "auth", "token": "\ud800" + TOKEN}),
        json.dumps({"type": "auth", "token": TOKEN + "x"}),
        json.dumps({"type": "auth", "token": TOKEN}) + " " * LARGEST_FIRST,
    ],
)
async def test_another_first_message_closes_it(tmp_path: Path, first: str | bytes) -> None:
    async with open_doors(tmp_path) as doors, page(doors) as socket, closing(socket) as told:
        await socket.send(first)
        await socket.send(AUTH)
    ((code, reason),) = told
    assert code in (4401, 1009)
    assert code == 1009 or reason.startswith("the first message must be")


async def test_a_refusal_after_the_first_message_is_a_close_code(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors, page(doors, "/nothing") as socket, closing(socket) as told:
        await socket.send(AUTH)
    assert told == [(4404, "there is no /nothing here")]


@pytest.mark.parametrize("origin", [None, "http://evil.example", "null"])
async def test_without_one_of_our_origins_nothing_is_waited_for(tmp_path: Path, origin: str | None) -> None:
    async with open_doors(tmp_path) as doors:
        for offered in (None, ["descartes"]):
            with pytest.raises(websockets.InvalidStatus) as refused:
                async with doors.listen(additional_headers={}, origin=origin, subprotocols=offered):
                    pass
            assert refused.value.response.status_code == 403


async def test_a_foreign_page_is_refused_even_with_the_token(tmp_path: Path) -> None:
    offered = ["descartes", f"descartes.token.{TOKEN}"]
    async with open_doors(tmp_path) as doors:
        with pytest.raises(websockets.InvalidStatus) as refused:
            async with doors.listen(additional_headers={}, origin="http://evil.example", subprotocols=offered):
                pass
        assert refused.value.response.status_code == 403


async def test_who_says_nothing_is_closed_in_time() -> None:
    sent, heard = asyncio.Queue[Message](), asyncio.Queue[Message]()
    heard.put_nowait({"type": "websocket.connect"})
    gate = FirstMessage(nothing_behind, Token(TOKEN), patience=0.05)
    await gate(scope(), heard.get, sent.put)
    assert [sent.get_nowait()["type"], sent.get_nowait()["code"]] == ["websocket.accept", 4401]


async def test_the_oldest_that_says_nothing_makes_room() -> None:
    gate = FirstMessage(nothing_behind, Token(TOKEN), patience=3600, most_waiting=2)
    waiting = []
    for _ in range(3):
        heard, sent = asyncio.Queue[Message](), asyncio.Queue[Message]()
        heard.put_nowait({"type": "websocket.connect"})
        waiting.append((asyncio.create_task(gate(scope(), heard.get, sent.put)), sent))
        assert (await sent.get())["type"] == "websocket.accept"
    async with asyncio.timeout(10):
        assert (await waiting[0][1].get())["code"] == 4401
        await waiting[0][0]
    assert [task.done() for task, _ in waiting] == [True, False, False]
    for task, _ in waiting[1:]:
        task.cancel()


def scope() -> Scope:
    return {"type": "websocket", "subprotocols": [], "headers": []}


async def nothing_behind(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise AssertionError("nobody may come in")
