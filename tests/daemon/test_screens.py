"""The screen of an agent at any offset of its log."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from descartes_core.errors import InvalidParams, LimitReached, NotHere, Refused
from descartes_daemon import replay
from descartes_daemon.agent import Agent
from descartes_daemon.emulator import load
from descartes_daemon.output_log import OutputLog
from descartes_daemon.screens import Screens, Shown
from tests.support.inside import PATIENCE, open_inside
from tests.support.programs import agent as program
from tests.support.rows import NOW, an_agent

pytestmark = [pytest.mark.anyio]
needs_emulator = pytest.mark.skipif(load() is None, reason="pyghostty has no wheel here")

EVERY = 65_536
LINE = b"line %06d of what a program says\r\n"


@pytest.fixture
def screens() -> Iterator[Screens]:
    with closing(Screens(EVERY)) as made:
        yield made


def an_agent_that_said(directory: Path, output: bytes, rows: int = 24, cols: int = 80, **row: object) -> Agent:
    (directory / "output.log").write_bytes(output)
    return Agent(an_agent(rows=rows, cols=cols, **row), "s", OutputLog(directory))


def saved_in(directory: Path) -> list[int]:
    return sorted(int(path.stem.partition("-")[2]) for path in directory.glob("screen-*.saved"))


def by_one_emulator(output: bytes, rows: int = 24, cols: int = 80) -> str:
    emulators = load()
    assert emulators is not None
    with closing(emulators.make(rows, cols)) as emulator:
        emulator.feed(output)
        return emulator.text()


@needs_emulator
async def test_a_screen_is_what_the_log_makes_of_a_terminal(tmp_path: Path, screens: Screens) -> None:
    agent = an_agent_that_said(tmp_path, b"$ ls\r\na  b\r\n$ \x1b]2;shell\x07\x1b[?2004h\x1b[?25l", rows=5, cols=20)
    shown = await screens.at(agent)
    assert (shown.text, shown.title) == ("$ ls\na  b\n$", "shell")
    assert (shown.rows, shown.cols, shown.cursor_row, shown.cursor_col) == (5, 20, 2, 2)
    assert (shown.cursor_visible, shown.alternate, shown.bracketed_paste) == (False, False, True)
    assert (shown.is_exact, shown.offset) == (True, agent.log.size)


@needs_emulator
async def test_an_earlier_screen_is_what_it_was(tmp_path: Path, screens: Screens) -> None:
    agent = an_agent_that_said(tmp_path, b"one\x1b[2J\x1b[Htwo\x1b[?1049hthree\x1b[?1049l")
    for offset, text, alternate in ((0, "", False), (3, "one", False), (13, "two", False), (26, "   three", True)):
        shown = await screens.at(agent, offset)
        assert (shown.text, shown.alternate, shown.offset) == (text, alternate, offset)
    assert (await screens.at(agent)).text == "two"


@needs_emulator
async def test_who_goes_on_from_a_screen_never_gets_half_a_sequence(tmp_path: Path, screens: Screens) -> None:
    agent = an_agent_that_said(tmp_path, "text\x1b[31m🦊".encode())
    assert [(await screens.at(agent, offset)).offset for offset in (4, 5, 8, 9, 10, 12, 13)] == [4, 4, 4, 9, 9, 9, 13]


@needs_emulator
async def test_each_resize_counts_at_its_place(tmp_path: Path, screens: Screens) -> None:
    log = OutputLog(tmp_path)
    log.rows, log.cols = 5, 10
    log.open()
    for output, size in ((b"0123456789abcde", (5, 20)), (b"\x1b[2J\x1b[H0123456789abcde", (3, 30)), (b"!", (4, 40))):
        os.write(log.descriptor, output)
        log.grew(len(output))
        log.resized(*size)
    log.close()
    agent = Agent(an_agent(rows=4, cols=40), "s", log)
    for offset, rows, cols, text in (
        (15, 5, 10, "0123456789\nabcde"),
        (37, 5, 20, "0123456789abcde"),
        (38, 3, 30, "0123456789abcde!"),
        (None, 4, 40, "0123456789abcde!"),
    ):
        shown = await screens.at(agent, offset)
        assert (shown.rows, shown.cols, shown.text) == (rows, cols, text), offset


@needs_emulator
async def test_checkpoints_are_left_on_the_way_and_change_nothing(tmp_path: Path, screens: Screens) -> None:
    output = b"".join(LINE % number for number in range(20_000))
    agent = an_agent_that_said(tmp_path, output)
    assert saved_in(tmp_path) == []
    first = await screens.at(agent)
    assert first.text == by_one_emulator(output)
    saved = saved_in(tmp_path)
    assert len(saved) >= len(output) // EVERY
    assert saved[-1] == len(output)
    assert await screens.at(agent) == first
    for offset in (0, 1, saved[3] - 1, saved[3], saved[3] + 1, len(output) - 7):
        assert (await screens.at(agent, offset)).text == by_one_emulator(output[:offset]), offset


@needs_emulator
async def test_a_torn_checkpoint_is_passed_over(tmp_path: Path, screens: Screens) -> None:
    agent = an_agent_that_said(tmp_path, b"".join(LINE % number for number in range(20_000)))
    first = await screens.at(agent)
    for path in sorted(tmp_path.glob("screen-*.saved"))[::2]:
        path.write_bytes(path.read_bytes()[:-5])
    for path in sorted(tmp_path.glob("screen-*.saved"))[1::2]:
        path.write_bytes(b"")
    assert await screens.at(agent) == first


@needs_emulator
async def test_of_a_long_output_the_end_is_read(
    tmp_path: Path, screens: Screens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "REACH", 300_000)
    monkeypatch.setattr(replay, "_END", 100_000)
    head = b"\x1b]2;the title\x07\x1b[?2004h\x1b[?1049h\x1b[31m"
    output = head + b"".join(LINE % number for number in range(30_000))
    agent = an_agent_that_said(tmp_path, output)
    shown = await screens.at(agent)
    # The lines are at the end; what a program wants of its terminal it mostly says at its beginning.
    assert (shown.text, shown.title) == (by_one_emulator(output), "the title")
    assert (shown.bracketed_paste, shown.alternate) == (True, True)
    assert saved_in(tmp_path) == [offset for offset in saved_in(tmp_path) if offset >= len(output) - 100_000]


@needs_emulator
async def test_what_was_dropped_is_not_missed(tmp_path: Path, screens: Screens) -> None:
    output = b"".join(LINE % number for number in range(5000))
    (tmp_path / "output.log").write_bytes(output)
    log = OutputLog(tmp_path, begin=100_000)
    agent = Agent(an_agent(), "s", log)
    assert (await screens.at(agent)).text == by_one_emulator(output)
    assert (await screens.at(agent, 50_000)).text == ""


@needs_emulator
async def test_a_log_that_was_cut_is_read_to_where_it_is(tmp_path: Path, screens: Screens) -> None:
    agent = an_agent_that_said(tmp_path, b"some text")
    agent.log.path.write_bytes(b"some")
    assert (await screens.at(agent)).text == "some"
    agent.log.path.unlink()
    assert (await screens.at(agent)).text == ""


@needs_emulator
async def test_what_takes_too_long_is_shown_as_text(
    tmp_path: Path, screens: Screens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "_DEADLINE", 0.05)
    agent = an_agent_that_said(tmp_path, b"text\r\n" + b"x\x1b[65535b" * 20_000)
    shown = await screens.at(agent)
    assert not shown.is_exact
    assert shown.text.endswith("x")
    # All screens come from one thread: this agent leaves it to the others for a while.
    monkeypatch.setattr(replay, "_DEADLINE", PATIENCE)
    assert not (await screens.at(agent, 4)).is_exact
    other = tmp_path / "other"
    other.mkdir()
    assert (await screens.at(an_agent_that_said(other, b"text"))).is_exact


@needs_emulator
async def test_what_took_too_long_is_tried_again_later(
    tmp_path: Path, screens: Screens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("descartes_daemon.screens._REST", 0.0)
    agent = an_agent_that_said(tmp_path, b"text\r\n" + b"x\x1b[65535b" * 2000)
    for deadline, is_exact in ((0.0, False), (PATIENCE, True)):
        monkeypatch.setattr(replay, "_DEADLINE", deadline)
        assert (await screens.at(agent)).is_exact is is_exact


@pytest.mark.parametrize("is_exact", [True, False])
async def test_a_screen_is_read_by_a_descriptor_of_its_own(
    tmp_path: Path, screens: Screens, monkeypatch: pytest.MonkeyPatch, is_exact: bool
) -> None:
    """Its thread may still read when the recorder has closed its own, and another file has got that number."""
    if not is_exact:
        monkeypatch.setattr("descartes_daemon.emulator.find_library", lambda: None)
    agent = an_agent_that_said(tmp_path, b"ours")
    agent.log.open()
    (tmp_path / "theirs").write_bytes(b"what another one said")
    theirs = os.open(tmp_path / "theirs", os.O_RDONLY)
    os.dup2(theirs, agent.log.descriptor)
    assert (await screens.at(agent)).text == "ours"
    os.close(theirs)
    agent.log.close()


async def test_without_an_emulator_it_is_text(
    tmp_path: Path, screens: Screens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("descartes_daemon.emulator.find_library", lambda: None)
    agent = an_agent_that_said(tmp_path, b"one\r\n\x1b[31mtwo\x1b[?2004h")
    shown = await screens.at(agent)
    assert (shown.text, shown.is_exact, shown.bracketed_paste) == ("one\ntwo", False, True)
    assert (await screens.at(agent, 3)).text == "one"


@needs_emulator
async def test_a_screen_at_which_daemons_died_is_not_tried_again(tmp_path: Path, screens: Screens) -> None:
    """A fault in the emulator would end every daemon that is asked for this screen."""
    agent = an_agent_that_said(tmp_path, b"text")
    mark = tmp_path / "screen.trying"
    for tries, is_exact in ((b"", True), (b"x", True), (b"xx", False)):
        mark.write_bytes(tries)
        shown = await screens.at(agent)
        assert (shown.is_exact, shown.text) == (is_exact, "text")
        assert mark.exists() is not is_exact
    os.utime(mark, (NOW, NOW))
    assert (await screens.at(agent)).is_exact


@needs_emulator
async def test_a_screen_that_fits_into_no_message_is_text(tmp_path: Path, screens: Screens) -> None:
    colours = b"".join(b"\x1b[38;2;%d;%d;7mx" % (number % 256, number // 256 % 256) for number in range(300_000))
    shown = await screens.at(an_agent_that_said(tmp_path, colours, rows=1000, cols=1000))
    assert (shown.is_exact, len(shown.vt) < 100_000) == (False, True)


async def test_who_asks_at_once_gets_the_same(tmp_path: Path, screens: Screens) -> None:
    agent = an_agent_that_said(tmp_path, b"".join(LINE % number for number in range(20_000)))
    first, *others = [asyncio.ensure_future(screens.at(agent)) for _ in range(20)]
    first.cancel()
    found = await asyncio.gather(*others)
    assert all(one is found[0] for one in found)
    assert isinstance(found[0], Shown)


async def test_too_many_at_once_are_refused(tmp_path: Path, screens: Screens) -> None:
    agent = an_agent_that_said(tmp_path, b"x" * 1000)
    found = await asyncio.gather(*(screens.at(agent, offset) for offset in range(300)), return_exceptions=True)
    refused = [one for one in found if isinstance(one, LimitReached)]
    assert len(refused) == 300 - 256
    assert (await screens.at(agent)).offset == 1000


async def test_what_has_no_screen_is_refused(tmp_path: Path, screens: Screens) -> None:
    with pytest.raises(InvalidParams, match="beyond the 4 bytes"):
        await screens.at(an_agent_that_said(tmp_path, b"text"), 5)
    with pytest.raises(NotHere, match="no terminal"):
        await screens.at(an_agent_that_said(tmp_path, b"text", tty=False))
    with pytest.raises(Refused, match="the output of agent"):
        await screens.at(an_agent_that_said(tmp_path, b"text", collected_at=NOW))


@needs_emulator
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_garbage_in_the_index_harms_nothing(tmp_path: Path, data: st.DataObject) -> None:
    (tmp_path / "output.idx").write_bytes(data.draw(st.binary(max_size=500)))
    agent = an_agent_that_said(tmp_path, data.draw(st.binary(max_size=500)))
    with closing(Screens(EVERY)) as screens:
        assert asyncio.run(screens.at(agent)).is_exact


async def test_the_method_tells_of_living_and_ended_agents(short: Path) -> None:
    async with open_inside(short) as inside:
        living = await inside.spawn(program("echoer"))
        await inside.until(living["id"], b"ready\r\n")
        shown = await inside.call("agent.screen", agent_id=living["id"])
        assert (shown["screen"], shown["offset"], shown["format"]) == ("ready", 7, "text")
        ended = await inside.spawn(["printf", "bye"], rows=10, cols=40)
        await inside.ended(ended["id"])
        await inside.gone(ended["id"])
        shown = await inside.call("agent.screen", agent_id=ended["id"], format="vt")
        assert (shown["rows"], shown["cols"], shown["format"]) == (10, 40, "vt")
        assert "bye" in shown["screen"]
        with pytest.raises(InvalidParams):
            await inside.call("agent.screen", agent_id=ended["id"], offset=99)
