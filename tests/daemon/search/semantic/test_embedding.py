"""Vectors are made behind the index; whoever is killed meanwhile, each passage gets one."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from descartes_core.ids import new_id
from descartes_daemon.search.index_opening import NAME, open_reader
from descartes_daemon.search.semantic import vectors
from tests.support.inside import Inside, open_inside
from tests.support.moments import Moments
from tests.support.waiting import process_gone

pytestmark = pytest.mark.anyio


def spoken(inside: Inside) -> list[vectors.Block]:
    """Return which passages have vectors, once each; all of them have."""
    reader = open_reader(inside.daemon.agents.place.data / NAME)
    found = sorted(vectors.blocks(reader))
    assert vectors.count_missing(reader) == 0
    reader.close()
    ids = [one for block in found for one in block.ids.tolist()]
    assert len(ids) == len(set(ids)) > 2 * vectors.BLOCK
    return found


@pytest.mark.parametrize("moment", ["search.embedded", "search.vectors_stored"])
async def test_killed_at_any_step_each_passage_gets_one_vector(
    short: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = Moments(short / "probe")
    try:
        async with open_inside(short, identity=new_id()) as inside:
            spawned = await inside.spawn(["seq", "-f", "line %0100.0f of the output", "6000"])
            await inside.ended(spawned["id"])
            await inside.gone(spawned["id"])
            await inside.call("search.query", query="line", wait=20.0)
            monkeypatch.setenv("DESCARTES_PROBE", str(moments.path))
            with moments.hold(moment) as held:
                await inside.call("search.query", query="line", semantic=True, wait=0.0)
                killed = held.wait()
                assert b"descartes-indexer" in Path(f"/proc/{killed}/cmdline").read_bytes()
                os.kill(killed, signal.SIGKILL)
                process_gone(killed)
            monkeypatch.delenv("DESCARTES_PROBE")
            reply = await inside.call("search.query", query="outputs", semantic=True, wait=20.0)
            assert reply["missing"] == 0
            assert reply["results"]
            spoken(inside)
    finally:
        moments.close()


async def test_nobody_who_asked_for_words_pays_for_vectors(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["echo", "hello"])
        await inside.ended(spawned["id"])
        assert (await inside.call("search.query", query="hello", wait=20.0))["results"]
        status = await inside.call("search.status")
        assert (status["embedder"], status["hot"], status["warm"], status["missing"]) == (None, 0, 0, 0)
