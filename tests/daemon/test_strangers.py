"""Strangers come in so often a second, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest
import websockets

from descartes_daemon.strangers import Strangers
from tests.support.tcp_doors import open_doors

pytestmark = pytest.mark.anyio


async def test_so_many_may_ask_at_once() -> None:
    strangers = Strangers(1000)
    assert sum(strangers.take() for _ in range(1000)) == 1000
    # As many more as time has passed for, and time does not stand still here.
    assert sum(strangers.take() for _ in range(1000)) < 1000


async def test_without_a_limit_anybody_may() -> None:
    strangers = Strangers(0)
    assert all(strangers.take() for _ in range(10_000))


async def test_who_shows_the_token_is_never_counted(tmp_path: Path) -> None:
    async with open_doors(tmp_path, built={"max_strangers": 1}) as doors:
        told = [(await doors.ask("GET", "/health", token=None)).status for _ in range(20)]
        assert set(told) == {200, 429}
        while (refused := await doors.ask("POST", "/rpc", b"{}", token="wrong")).status != 429:
            pass
        assert (refused.code, refused.headers["connection"]) == ("limit_reached", "close")
        assert [(await doors.ask("GET", "/health")).status for _ in range(20)] == [200] * 20
        async with doors.listen() as socket:
            await socket.ping()


async def test_websockets_of_strangers_are_counted_too(tmp_path: Path) -> None:
    async with open_doors(tmp_path, built={"max_strangers": 1}) as doors:
        told = []
        for _ in range(5):
            with pytest.raises(websockets.InvalidStatus) as refused:
                async with doors.listen(additional_headers={}):
                    pass
            told.append(refused.value.response.status_code)
        assert set(told) == {403, 429}
