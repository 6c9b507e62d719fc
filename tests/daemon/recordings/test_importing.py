"""A recording becomes an agent whole or not at all, and touches nobody else's."""

from __future__ import annotations

import asyncio
import io
import threading
from pathlib import Path

import pytest

from descartes_core.errors import AlreadyExists, Unavailable
from descartes_core.ids import new_id
from descartes_daemon.recordings.writing import write
from tests.support.inside import open_inside

CAST = '{"version": 2, "width": 80, "height": 24}\n[0.5, "o", "hello"]\n'


@pytest.mark.anyio
async def test_of_two_at_once_with_one_id_one_is_there_whole(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = new_id()
        asked = [inside.call("recording.import", data=CAST, agent_id=identity) for _ in range(4)]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(one) for one in outcomes if not isinstance(one, dict)] == [AlreadyExists] * 3
        place = inside.daemon.agents.place
        assert (place.agent(identity) / "output.log").read_bytes() == b"hello"
        assert not list((place.data / "importing").iterdir())


@pytest.mark.anyio
async def test_what_is_in_its_place_already_is_left_there(short: Path) -> None:
    """An agent that is just being started has no row yet."""
    async with open_inside(short) as inside:
        identity = new_id()
        theirs = inside.daemon.agents.place.agent(identity) / "output.log"
        theirs.parent.mkdir(parents=True)
        theirs.write_bytes(b"theirs")
        with pytest.raises(Unavailable, match="cannot import a recording"):
            await inside.call("recording.import", data=CAST, agent_id=identity)
        assert theirs.read_bytes() == b"theirs"
        assert not list((inside.daemon.agents.place.data / "importing").iterdir())


@pytest.mark.parametrize("line", ["\n", "# a word\n", '[0, "m", "x"]\n', '[0, "i", "x"]\n', '[0, "r", "9x9"]\n'])
def test_an_import_of_what_says_nothing_is_broken_off_too(tmp_path: Path, line: str) -> None:
    over = threading.Event()
    over.set()
    source = io.BytesIO(('{"version": 3}\n' + line * 300_000).encode())
    with pytest.raises(InterruptedError, match="ending"):
        write(source, tmp_path / "new", began=1.0, most=0, over=over)
