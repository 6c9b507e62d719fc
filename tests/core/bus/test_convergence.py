"""Links over wires that lose, repeat, delay, reorder and cut come together again, and nobody gets another's answer."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from descartes_core.bus import messages as m
from descartes_core.bus.backoff import LONGEST
from descartes_core.bus.link import PATIENCE, LinkState
from tests.support.simulated_bus import Weather, World

NAMES = ("laptop/1", "big", "small")
BAD_TIMES = 100.0
#: The longest wait for another try, the connection, and an ask that begins to wait just before.
RECOVERY = LONGEST + 2 * PATIENCE + 30.0


class Fault(NamedTuple):
    """What happens to somebody at some time."""

    at: float
    what: str
    name: str
    seconds: float


class Ask(NamedTuple):
    """Somebody asks somebody."""

    at: float
    of: str
    to: str
    patience: float


times = st.floats(0.0, BAD_TIMES)
names = st.sampled_from(NAMES)
whats = st.sampled_from(["cut", "silent", "pause", "restart", "hub restart"])
faults = st.lists(st.builds(Fault, times, whats, names, st.floats(0.1, 60.0)), max_size=12)
asks = st.lists(st.builds(Ask, times, names, names, st.floats(0.01, 400.0)), max_size=12)
weathers = st.builds(Weather, st.floats(0, 0.5), st.floats(0, 0.5), st.floats(0.001, 5.0), st.booleans())


@settings(deadline=None)
@given(st.integers(0, 2**32), weathers, faults, asks)
def test_links_come_together_again(seed: int, weather: Weather, faults: list[Fault], asks: list[Ask]) -> None:
    world = World(seed, NAMES)
    world.weather = weather
    for fault in faults:
        world.at(fault.at, lambda fault=fault: befall(world, fault))  # type: ignore[misc]
    for number, ask in enumerate(asks):
        world.at(ask.at, lambda number=number, ask=ask: say(world, number, ask))  # type: ignore[misc]
    world.run(BAD_TIMES)
    world.weather = Weather()
    world.run(BAD_TIMES + 60.0 + RECOVERY)
    for name, end in world.ends.items():
        assert end.link.state is LinkState.CONNECTED
        others = {other for other, peer in end.link.peers.items() if peer.state == "connected"}
        assert others | {name} == set(NAMES)
    world.run(BAD_TIMES + 600.0)
    restarted = {fault.name for fault in faults if fault.what == "restart"}
    for number, ask in enumerate(asks):
        check(world, number, ask, is_forgetful=ask.of in restarted)


def befall(world: World, fault: Fault) -> None:
    """Let it happen."""
    if fault.what == "hub restart":
        world.hub.restart()
    elif fault.what == "pause":
        world.pause(fault.name, fault.seconds)
    elif fault.what == "restart":
        world.restart(fault.name)
    else:
        world.cut(fault.name, is_seen=fault.what == "cut")


def say(world: World, number: int, ask: Ask) -> None:
    """Let somebody ask, also of nobody that is there, or of itself."""
    command = m.ControlCommand(request_id=str(number), agent_id=f"of {ask.of}", command_type="get_status")
    world.ends[ask.of].link.ask(command, ask.to, now=world.now, deadline=world.now + ask.patience)


def check(world: World, number: int, ask: Ask, *, is_forgetful: bool) -> None:
    """Hold that whom was asked answered once, or it expired once; a process that ended is told nothing."""
    end, request_id = world.ends[ask.of], str(number)
    answers = [one for one in end.answers if getattr(one.message, "request_id", None) == request_id]
    expired = [one for one in end.expired if one.request_id == request_id]
    assert len(answers) + len(expired) <= 1
    assert answers or expired or is_forgetful
    for sender, message in answers:
        assert sender == ask.to
        assert isinstance(message, m.CommandResponse)
        assert message.data == {"done": request_id, "by": ask.to}
        assert message.agent_id == f"of {ask.of}"
        assert request_id in world.ends[ask.to].done
    if ask.at + ask.patience > BAD_TIMES + 60.0 + RECOVERY + 30.0 and not is_forgetful:
        assert answers, "there was time enough"


def test_in_fair_weather_nothing_is_asked_twice() -> None:
    world = World(1, NAMES)
    world.run(1.0)
    say(world, 0, Ask(1.0, "laptop/1", "big", 60.0))
    world.run(60.0)
    laptop, big = world.ends["laptop/1"].link.statistics, world.ends["big"].link.statistics
    assert [one.sender for one in world.ends["laptop/1"].answers] == ["big"]
    assert (laptop.dropped, laptop.errors, laptop.reconnections) == (0, 0, 0)
    assert laptop.messages_sent - big.messages_sent == 0  # hello, heartbeats; one asked, the other answered


def test_all_come_back_from_a_hub_that_was_away_one_by_one() -> None:
    names = tuple(f"runner {number}" for number in range(60))
    world = World(2, names)
    world.run(5.0)
    world.hub.restart()
    for name in names:
        world.cut(name, is_seen=True)
    world.weather = Weather(loss=1.0)
    world.run(20.0)
    world.weather = Weather()
    world.run(20.0 + PATIENCE + LONGEST)
    came = sorted(end.link.since for end in world.ends.values())
    assert all(end.link.state is LinkState.CONNECTED for end in world.ends.values())
    assert len({round(time, 3) for time in came}) > 50
