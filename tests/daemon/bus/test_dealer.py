"""A peer's socket: it finds its hub, loses it, comes back, and costs nothing while nothing happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from descartes_core.bus import messages as m
from descartes_core.bus.codec import encode
from descartes_core.bus.link import LinkState
from descartes_core.errors import AgentNotFound, DeadlineOver, Unavailable
from descartes_core.ids import new_id
from descartes_daemon.bus.dealer import Bus
from tests.support.bare_hub import BareHub, peer_of
from tests.support.inside import PATIENCE
from tests.support.on_the_bus import running, until

pytestmark = pytest.mark.anyio


def answering(bus: Bus, answer: Callable[[m.Message], m.Message | None]) -> list[m.Message]:
    came: list[m.Message] = []

    def act(sender: str, message: m.Message) -> None:
        came.append(message)
        if (said := answer(message)) is not None:
            bus.tell(said, sender)

    bus.subscribe(on_message=act)
    return came


def a_list(request: m.Message) -> m.Message | None:
    assert isinstance(request, m.ListAgentsRequest)
    return m.ListAgentsResponse(request_id=request.request_id, success=True)


async def test_a_peer_is_asked_by_its_name_and_answers() -> None:
    with BareHub() as hub:
        shop, big = peer_of(hub, "laptop/shop"), peer_of(hub, "big", "runner")
        answering(big, a_list)
        async with running(shop, big):
            await until(shop, lambda: "big" in shop.peers)
            answer = await shop.ask(m.ListAgentsRequest(request_id=new_id()), "big", timeout=PATIENCE)
            assert isinstance(answer, m.ListAgentsResponse)


async def test_what_is_refused_is_raised_as_what_it_is() -> None:
    def refuse(request: m.Message) -> m.Message:
        assert isinstance(request, m.ListAgentsRequest)
        return m.ListAgentsResponse(
            request_id=request.request_id, success=False, code="agent_not_found", error="no such agent"
        )

    with BareHub() as hub:
        shop, big = peer_of(hub, "laptop/shop"), peer_of(hub, "big", "runner")
        answering(big, refuse)
        async with running(shop, big):
            with pytest.raises(AgentNotFound, match="no such agent"):
                await shop.ask(m.ListAgentsRequest(request_id=new_id()), "big", timeout=PATIENCE)


async def test_what_is_lost_on_its_way_is_asked_again() -> None:
    with BareHub() as hub:
        shop, big = peer_of(hub, "laptop/shop"), peer_of(hub, "big", "runner")
        came = answering(big, a_list)
        lost: list[m.Message] = []

        def loses(_sender: str, to: str, message: m.Message) -> bool:
            if to == "laptop/shop" and not lost:
                lost.append(message)
                return True
            return False

        hub.loses = loses
        async with running(shop, big):
            await shop.ask(m.ListAgentsRequest(request_id="one"), "big", timeout=PATIENCE)
        assert [type(one) for one in lost] == [m.ListAgentsResponse]
        assert [one.request_id for one in came if isinstance(one, m.Request)] == ["one", "one"]


async def test_a_hub_that_was_killed_is_found_again_and_what_was_asked_is_answered() -> None:
    with BareHub() as hub:
        shop, big = peer_of(hub, "laptop/shop"), peer_of(hub, "big", "runner")
        answering(big, a_list)
        async with running(shop, big):
            hub.end()
            await until(shop, lambda: shop.state is LinkState.RECONNECTING)
            asked = asyncio.create_task(shop.ask(m.ListAgentsRequest(request_id="one"), "big", timeout=PATIENCE))
            hub.begin()
            assert isinstance(await asked, m.ListAgentsResponse)
            assert shop.link.statistics.reconnections == 1


async def test_who_does_not_answer_is_given_up_and_a_late_answer_harms_nobody() -> None:
    with BareHub() as hub:
        shop, big = peer_of(hub, "laptop/shop"), peer_of(hub, "big", "runner")
        came = answering(big, lambda _request: None)
        async with running(shop, big):
            with pytest.raises(DeadlineOver):
                await shop.ask(m.ListAgentsRequest(request_id="one"), "big", timeout=0.2)
            await until(big, lambda: bool(came)) if not came else None
            big.tell(m.ListAgentsResponse(request_id="one", success=True), "laptop/shop")
            answering(big, a_list)
            await shop.ask(m.ListAgentsRequest(request_id="two"), "big", timeout=PATIENCE)
            assert shop.link.statistics.dropped == 1


async def test_who_leaves_says_goodbye() -> None:
    with BareHub() as hub:
        shop, big = peer_of(hub, "laptop/shop"), peer_of(hub, "big", "runner")
        async with running(shop):
            async with running(big):
                await until(shop, lambda: "big" in shop.peers)
            await until(shop, lambda: "big" not in shop.peers)


async def test_what_waits_for_a_slow_hub_is_told_and_goes_on() -> None:
    with BareHub() as hub:
        shop, big = peer_of(hub, "laptop/shop"), peer_of(hub, "big", "runner")
        piece, room, got = bytes(200_000), asyncio.Event(), 0

        def count(_sender: str, message: m.Message) -> None:
            nonlocal got
            got += isinstance(message, m.Output)

        shop.subscribe(on_message=count)
        big.subscribe(on_room=room.set)
        async with running(shop, big):
            sent = 0
            while not big.is_congested:
                assert big.tell(m.Output(agent_id="a", offset=0, data=piece), "laptop/shop")
                sent += 1
            async with asyncio.timeout(PATIENCE):
                await room.wait()
            await until(shop, lambda: got == sent)


async def test_a_hub_that_is_not_there_is_told_to_who_asks() -> None:
    hub = BareHub()
    with hub:
        pass
    shop = peer_of(hub, "laptop/shop")
    task = asyncio.create_task(shop.run())
    with pytest.raises(DeadlineOver, match="no hub answers"):
        await shop.ask(m.PeersRequest(request_id="one"), timeout=0.5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_twin_is_dismissed_for_good() -> None:
    with BareHub() as hub:
        shop = peer_of(hub, "laptop/shop")
        async with running(shop):
            shop.link.receive([b"", _goodbye()], 0.0)
            shop.look_again()
            assert shop.state is LinkState.FAILED
            with pytest.raises(Unavailable, match="another one"):
                await shop.ask(m.PeersRequest(request_id="one"), timeout=PATIENCE)


def _goodbye() -> bytes:
    return encode(m.Goodbye(code="twin", reason="another one is here"))
