"""Every event once and in order, to whoever listens."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import websockets
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from descartes_core.messages.events import Event
from descartes_daemon.event_stream import MOST_NONSENSE, EventStream
from descartes_daemon.feed import Feed
from descartes_daemon.schema import open_writer
from descartes_daemon.store import Store
from tests.support.rows import told
from tests.support.tcp_doors import listening, open_doors, served

pytestmark = pytest.mark.anyio

Socket = websockets.ClientConnection


async def said(socket: Socket) -> dict[str, Any]:
    async with asyncio.timeout(10):
        frame = json.loads(await socket.recv(decode=True))
    assert set(frame) == {"type", "payload"}
    return dict(frame)


async def say(socket: Socket, kind: str, **payload: Any) -> None:
    await socket.send(json.dumps({"type": kind, "payload": payload}))


async def subscribe(socket: Socket, **payload: Any) -> dict[str, Any]:
    await say(socket, "Subscribe", **payload)
    confirmed = await said(socket)
    assert confirmed["type"] == "SubscriptionConfirmed"
    return dict(confirmed["payload"])


async def events(socket: Socket, count: int) -> list[dict[str, Any]]:
    frames = [await said(socket) for _ in range(count)]
    assert {frame["type"] for frame in frames} <= {"Event"}, frames
    return [frame["payload"] for frame in frames]


@contextlib.asynccontextmanager
async def a_stream(directory: Path, **options: Any) -> AsyncIterator[tuple[EventStream, Store, str]]:
    """Serve the stream alone, with other times and limits."""
    door = listening()
    async with Store.open(directory / "state.db") as store:
        stream = EventStream(Feed(store), "an instance", **options)
        async with served(Starlette(routes=[WebSocketRoute("/events", stream.serve)]), [door]):
            yield stream, store, f"ws://127.0.0.1:{door.getsockname()[1]}/events"


async def test_who_subscribes_hears_what_comes(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors, doors.listen() as socket:
        await doors.store.commit(told("before"))
        confirmed = await subscribe(socket)
        assert (confirmed["last_seq"], confirmed["instance_id"]) == (1, "an instance")
        (stored,) = await doors.store.commit(told("started", "a", word="é"))
        (event,) = await events(socket, 1)
        assert event == stored
        assert Event.model_validate(event).seq == 2


async def test_what_was_missed_comes_in_order_and_once(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors:
        seen: list[int] = []
        writing = asyncio.gather(*(doors.store.commit(told("x", number=number)) for number in range(700)))
        while len(seen) < 700:
            async with doors.listen() as socket:
                await subscribe(socket, since=seen[-1] if seen else 0)
                # Each time the line breaks somewhere else, with frames on the way.
                seen += [event["seq"] for event in await events(socket, min(97, 700 - len(seen)))]
                socket.transport.abort()
        await writing
        assert seen == list(range(1, 701))


async def test_many_listeners_hear_the_same(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors, contextlib.AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(doors.listen()) for _ in range(20)]
        await asyncio.gather(*(subscribe(socket, since=0) for socket in sockets))
        await asyncio.gather(*(doors.store.commit(told("x")) for _ in range(150)))
        for heard in await asyncio.gather(*(events(socket, 150) for socket in sockets)):
            assert [event["seq"] for event in heard] == list(range(1, 151))


async def test_a_filter_lets_through_what_it_names(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors, doors.listen() as socket:
        await subscribe(socket, filter={"agent_ids": ["a"], "event_categories": ["agent"]})
        for unit in (told("1", "b"), told("2", kind="SystemEvent"), told("3", "a")):
            await doors.store.commit(unit)
        assert [event["event_type"] for event in await events(socket, 1)] == ["3"]
        await say(socket, "UpdateFilter", filter={"event_categories": ["system"]})
        assert (await said(socket))["type"] == "SubscriptionUpdated"
        for unit in (told("4", "a"), told("5", kind="SystemEvent")):
            await doors.store.commit(unit)
        assert [event["event_type"] for event in await events(socket, 1)] == ["5"]


async def test_who_unsubscribes_hears_nothing_more(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors, doors.listen() as socket:
        await subscribe(socket)
        await say(socket, "Unsubscribe")
        await say(socket, "Unsubscribe")  # answered once the first one is done
        assert (await said(socket))["payload"]["code"] == "invalid_request"
        await doors.store.commit(told("unheard"))
        assert (await subscribe(socket))["last_seq"] == 1
        await doors.store.commit(told("heard"))
        assert [event["event_type"] for event in await events(socket, 1)] == ["heard"]


async def test_a_second_subscription_takes_the_place_of_the_first(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors, doors.listen() as socket:
        await doors.store.commit(told("1"))
        first, second = await subscribe(socket), await subscribe(socket, since=0)
        assert first["subscription_id"] != second["subscription_id"]
        await doors.store.commit(told("2"))
        assert [event["event_type"] for event in await events(socket, 2)] == ["1", "2"]


async def test_a_cursor_of_another_history_gets_a_gap(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors, doors.listen() as socket:
        await doors.store.commit(told("1"))
        await subscribe(socket, since=500)
        gap = await said(socket)
        assert (gap["type"], gap["payload"]["from"], gap["payload"]["to"]) == ("Gap", 500, 1)
        await doors.store.commit(told("2"))
        assert [event["seq"] for event in await events(socket, 1)] == [2]


async def test_a_cursor_before_what_is_kept_gets_a_gap(tmp_path: Path) -> None:
    with closing(open_writer(tmp_path / "state.db")) as connection:
        connection.execute("INSERT INTO events VALUES (50, 'x', 0.0, 'SystemEvent', 'kept', NULL, '{}')")
    async with open_doors(tmp_path) as doors, doors.listen() as socket:
        await subscribe(socket, since=0)
        gap = await said(socket)
        assert (gap["type"], gap["payload"]["from"], gap["payload"]["to"]) == ("Gap", 0, 49)
        assert [event["seq"] for event in await events(socket, 1)] == [50]


NONSENSE = [
    "",
    "{",
    "7",
    "[]",
    '{"payload": {}}',
    '{"type": 7}',
    '{"type": "Dance"}',
    '{"type": "Subscribe", "payload": []}',
    '{"type": "Subscribe", "payload": {"since": -1}}',
    '{"type": "Subscribe", "payload": {"since": "1"}}',
    '{"type": "Subscribe", "payload": {"other": 1}}',
    '{"type": "Subscribe", "payload": {"filter": {"event_categories": ["weather"]}}}',
    '{"type": "UpdateFilter", "payload": {"filter": {}}}',
    '{"type": "Unsubscribe"}',
    "[" * 50_000,
    b"\x00binary",
]


async def test_nonsense_is_told_and_borne(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors, doors.listen() as socket:
        for frame in NONSENSE:
            await socket.send(frame)
            answer = await said(socket)
            assert (answer["type"], set(answer["payload"])) == ("Error", {"code", "message"}), frame
        await say(socket, "Pong", timestamp="2023-11-14T22:13:20.250000Z")
        await subscribe(socket)
        await doors.store.commit(told("heard"))
        assert len(await events(socket, 1)) == 1


async def test_too_much_nonsense_ends_the_connection(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors, doors.listen() as socket:
        for _ in range(MOST_NONSENSE):
            await socket.send("x")
            await said(socket)
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await said(socket)
        assert closed.value.rcvd
        assert closed.value.rcvd.code == 1008


async def test_a_listener_is_pinged(tmp_path: Path) -> None:
    async with a_stream(tmp_path, ping_every=0.01) as (_, _, url), websockets.connect(url, proxy=None) as socket:
        for _ in range(2):
            ping = await said(socket)
            assert (ping["type"], set(ping["payload"])) == ("Ping", {"timestamp"})
            await say(socket, "Pong", **ping["payload"])


async def test_a_slow_listener_holds_up_nobody_and_misses_nothing(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors, doors.listen(max_queue=1) as slow, doors.listen() as quick:
        await asyncio.gather(subscribe(slow, since=0), subscribe(quick, since=0))
        for _ in range(15):
            await asyncio.gather(*(doors.store.commit(told("x", fill="y" * 5000)) for _ in range(100)))
            assert len(await events(quick, 100)) == 100
        # More than the feed has at hand, and than the sockets hold: the rest comes from the store.
        assert [event["seq"] for event in await events(slow, 1500)] == list(range(1, 1501))


async def test_a_stuck_listener_is_let_go(tmp_path: Path) -> None:
    async with a_stream(tmp_path, stuck_after=0.1) as (stream, store, url):
        socket = await websockets.connect(url, proxy=None, max_queue=1)
        await subscribe(socket)
        socket.transport.pause_reading()
        async with asyncio.timeout(20):
            while stream.listeners:
                await store.commit(told("x", fill="y" * 200_000))
        socket.transport.abort()


async def test_who_goes_leaves_nothing_behind(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with a_stream(tmp_path) as (stream, store, url):
        tasks = len(asyncio.all_tasks())
        sockets = [await websockets.connect(url, proxy=None) for _ in range(6)]
        for number, socket in enumerate(sockets):
            if number % 2:
                await subscribe(socket)
        assert stream.listeners == 6
        for number, socket in enumerate(sockets):
            await socket.close() if number < 3 else socket.transport.abort()
        async with asyncio.timeout(10):
            while stream.listeners or len(asyncio.all_tasks()) > tasks:
                await store.commit(told("x"))
        assert "Traceback" not in caplog.text


async def test_too_many_listeners_are_refused(tmp_path: Path) -> None:
    async with a_stream(tmp_path, most=1) as (_, _, url), websockets.connect(url, proxy=None):
        with pytest.raises(websockets.InvalidStatus) as refused:
            await websockets.connect(url, proxy=None)
        assert refused.value.response.status_code == 503


async def test_the_past_is_what_the_store_has(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors:
        await asyncio.gather(*(doors.store.commit(told("x", number=number)) for number in range(50)))
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        stored = [row[0] for row in connection.execute("SELECT id FROM events ORDER BY seq")]
    async with open_doors(tmp_path) as doors, doors.listen() as socket:  # another daemon, the same history
        assert (await subscribe(socket, since=0))["last_seq"] == 50
        assert [event["id"] for event in await events(socket, 50)] == stored
