"""What is alike is found, together with what has the words; a daemon that nobody asks for it never loads numpy."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import Refused
from tests.support.inside import Inside, open_inside

pytestmark = pytest.mark.anyio

#: What agents said, by what it is about.
SAID = {
    "locks": "two workers are deadlocked: each waits for the mutex that the other one holds\n",
    "disk": "cannot write the file, no space left on device /dev/sda1\n",
    "network": "connection refused while connecting to the database host, retrying\n",
    "types": "mypy found incompatible types in assignment, expression has type str\n",
    "tests": "37 tests passed, 2 failed, 1 skipped in 12.4 seconds\n",
    "git": "merge conflict in src/parser.py, fix it and commit the result\n",
}
#: Labelled questions: none has all the words as they stand.
QUESTIONS = {
    "deadlock worker": "locks",
    "disk has no free space": "disk",
    "databse connections refused": "network",
    "incompatable type assigned": "types",
    "failing test": "tests",
    "conflicts when merging": "git",
}


async def told(inside: Inside) -> dict[str, str]:
    """Let an agent say each text among a lot of others; return what each agent's text is about."""
    filler = "; ".join(f"echo step {n} of the build took {n} ms" for n in range(30))
    agents = {}
    for about, text in SAID.items():
        spawned = await inside.spawn(["sh", "-c", f"{filler}; printf '%s' '{text.strip()}'; echo; {filler}"])
        agents[spawned["id"]] = about
        await inside.ended(spawned["id"])
        await inside.gone(spawned["id"])
    return agents


async def search(inside: Inside, query: str, **how: Any) -> Any:
    return await inside.call("search.query", **{"query": query, "semantic": True, "wait": 20.0, **how})


async def test_what_is_alike_comes_first(short: Path) -> None:
    async with open_inside(short) as inside:
        agents = await told(inside)
        right = 0
        for question, about in QUESTIONS.items():
            reply = await search(inside, question, kinds=["output"])
            assert (reply["missing"], reply["behind"]) == (0, 0)
            first = reply["results"][0]
            right += agents[first["agent_id"]] == about
            if agents[first["agent_id"]] == about:
                assert first["snippet"] in SAID[about]
                assert 0 < first["score"] <= 1
        assert right >= 5
        status = await inside.call("search.status")
        assert status["embedder"].startswith("lexical-")
        assert status["hot"] + status["missing"] >= status["warm"] == 0
        assert status["hot"] > 0


async def test_filters_hold_for_what_is_alike(short: Path) -> None:
    async with open_inside(short) as inside:
        agents = await told(inside)
        disk = next(agent for agent, about in agents.items() if about == "disk")
        reply = await search(inside, "deadlocked workers", agent_id=disk)
        assert {one["agent_id"] for one in reply["results"]} == {disk}
        assert {one["kind"] for one in (await search(inside, "deadlock", kinds=["event"]))["results"]} <= {"event"}
        assert (await search(inside, "deadlock", since="2099-01-01T00:00:00Z"))["results"] == []
        without = await search(inside, "deadlocked -mutex", kinds=["output"])
        assert "locks" not in {agents[one["agent_id"]] for one in without["results"]}


async def test_a_new_index_forgets_the_vectors_of_the_old_one(short: Path) -> None:
    async with open_inside(short) as inside:
        agents = await told(inside)
        before = (await search(inside, "deadlock worker", kinds=["output"]))["results"]
        await inside.call("search.rebuild")
        after = (await search(inside, "deadlock worker", kinds=["output"]))["results"]
        assert agents[after[0]["agent_id"]] == agents[before[0]["agent_id"]] == "locks"


async def test_without_numpy_it_says_what_is_missing(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("descartes_daemon.search.semantic")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "numpy", None)
    async with open_inside(short) as inside:
        with pytest.raises(Refused, match=r"pip install 'descartes-orchestrator\[semantic\]'"):
            await search(inside, "anything")
        assert (await inside.call("search.query", query="anything"))["missing"] == 0
