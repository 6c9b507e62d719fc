"""Tasks, transcripts, inputs and events are found, whatever they hold, and read once."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from descartes_daemon.search.asked import read_query
from descartes_daemon.search.hiding import Hiding
from descartes_daemon.search.index_opening import NAME, open_reader
from descartes_daemon.search.indexing import Session
from descartes_daemon.search.searching import Searching, Wanted
from tests.support.searchable import Searchable

GRAPH = "# SCUD Graph v1\n# Phase: main\n\n@meta {{\n  name main\n}}\n@nodes\n{}\n"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Searchable]:
    session = Searchable(tmp_path / "session")
    session.workspace = tmp_path / "shop"
    (session.workspace / ".scud/tasks").mkdir(parents=True)
    (session.workspace / ".scud/sessions").mkdir()
    session.say(session.agent("a"), b"hello world\n")
    yield session
    session.close()


def put(shop: Searchable, name: str, content: str | bytes) -> Path:
    assert shop.workspace is not None
    path = shop.workspace / ".scud" / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tasks/tasks.json", '{"master": {"tasks": []}}'),
        ("tasks/tasks.json", "no JSON"),
        ("tasks/tasks.scg", GRAPH.format("1 | caf\xe9 | P | 3 | M").encode("latin-1")),
        ("tasks/tasks.json", '{"main": {"tasks": [{"id": "\\ud800", "title": "half a sign \\ud800"}]}}'),
        ("sessions/one.json", "{}"),
        ("sessions/one.json", "[" * 100_000),
        ("sessions/one.json", '["half of a sign \\ud83d and more"]'),
        (os.fsdecode(b"sessions/\xff.json"), '["of no name"]'),
        ("sessions/one.json", json.dumps([f"sentence {number} of many" for number in range(100_000)])),
    ],
)
def test_whatever_lies_there_is_read_once_and_holds_up_nothing(shop: Searchable, name: str, content: str) -> None:
    """An empty list of tasks kept every search waiting; half a sign ended the process that indexes, each time."""
    put(shop, name, content)
    shop.event("agent_moved", {"cwd": "/caf\udce9 and on"}, "a")
    assert shop.index() == "done"
    assert shop.behind() == 0
    assert len(shop.find("hello").results) == 1
    assert [result["kind"] for result in shop.find("caf and", kinds=("event",)).results] == ["event"]


def test_a_large_transcript_is_found(shop: Searchable) -> None:
    put(shop, "sessions/one.json", json.dumps([f"sentence{number} of many" for number in range(100_000)]))
    assert shop.index() == "done"
    (result,) = shop.find("sentence77777").results
    assert (result["kind"], result["offset"]) == ("transcript", 77_777)


def test_of_tasks_and_transcripts_only_what_they_say_now_is_found(shop: Searchable) -> None:
    graph = put(
        shop, "tasks/tasks.scg", GRAPH.format("1 | Mend the crane | P | 3 | M\n2 | Paint the lorry | P | 3 | M")
    )
    spoken = put(shop, "sessions/one.json", '{"log": [{"text": "the crane was heavy"}]}')
    assert shop.index() == "done"
    assert sorted(result["kind"] for result in shop.find("crane").results) == ["task", "transcript"]
    (task,) = shop.find("crane", task="main:1").results or shop.find("crane", task="1").results
    assert task["kind"] == "task"
    assert not shop.find("lorry", task="main:1").results
    graph.write_text(GRAPH.format("1 | Mend the bridge | P | 3 | M"))
    spoken.unlink()
    assert shop.index() == "done"
    assert not shop.find("crane").results
    assert len(shop.find("bridge").results) == 1


def test_what_was_there_before_does_not_hide_what_is_there_now(shop: Searchable) -> None:
    """Of a word that all tasks had once, the newest passages are all gone: the older ones of others are told."""
    shop.say(shop.agent("b"), b"the excavator is here\n")
    shop.index()
    rows = "\n".join(f"{number} | excavator number{number} | P | 3 | M" for number in range(1000))
    graph = put(shop, "tasks/tasks.scg", GRAPH.format(rows))
    shop.index()
    graph.write_text(GRAPH.format("1 | nothing of that | P | 3 | M"))
    shop.index()
    found = shop.find("excavator")
    assert [result["agent_id"] for result in found.results] == ["b"]
    assert found.is_complete


def test_secrets_in_tasks_and_transcripts_are_neither_found_nor_shown(shop: Searchable) -> None:
    put(shop, "sessions/one.json", '["the key is TOKEN=abcdefgh12345678 do not tell"]')
    assert shop.index() == "done"
    assert not shop.find("abcdefgh12345678").results
    (result,) = shop.find("tell").results
    assert "abcdefgh" not in result["snippet"]


def test_what_was_typed_is_found_where_it_is_kept(shop: Searchable) -> None:
    query = "INSERT INTO inputs (at, agent, {}data) VALUES (1.0, 'a', {}?)"
    columns = [row[1] for row in shop.state.execute("SELECT * FROM pragma_table_info('inputs')")]
    more = [one for one in columns if one not in ("id", "at", "agent", "data")]
    told = query.format("".join(f"{one}, " for one in more), "".join("'1', " for _ in more))
    shop.state.execute(told, (b"make the excavator\r",))
    shop.state.execute(told, (None,))
    assert shop.index() == "done"
    (result,) = shop.find("excavator", kinds=("input",)).results
    assert (result["agent_id"], result["snippet"].strip()) == ("a", "make the excavator")
    assert shop.find("excavator", agent_id="a").results
    assert shop.behind() == 0


def test_without_rules_nothing_is_hidden_but_what_is_no_text(shop: Searchable) -> None:
    put(shop, "sessions/one.json", '["half \\ud83d of PASSWORD=hunter2hunter2"]')
    shop.index(redaction={"enabled": False, "patterns": [], "variables": []})
    session, index = Session(shop.place, shop.workspace), open_reader(shop.place / NAME)
    (result,) = Searching(session, index, Hiding(None), "s").run(Wanted(read_query("hunter2hunter2"))).results
    assert result["snippet"].encode()
    session.close()
    index.close()
