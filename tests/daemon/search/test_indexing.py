"""What was said is found where it stands, once, whoever was killed meanwhile."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from descartes_core.redactor import Rules
from descartes_daemon.search import indexing
from descartes_daemon.search.asked import read_query
from descartes_daemon.search.hiding import Hiding
from descartes_daemon.search.index_file import Index, Source
from descartes_daemon.search.index_opening import NAME
from descartes_daemon.search.indexing import Indexing, Session
from descartes_daemon.search.outputs import Said
from descartes_daemon.search.ranking import Rarity, volumes
from tests.support.searchable import GIBIBYTE, RESTED, Searchable, numbered, wait_a_little


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Searchable]:
    session = Searchable(tmp_path / "session")
    yield session
    session.close()


def offsets(shop: Searchable, query: str, **more: object) -> list[tuple[str | None, int]]:
    return [(result["agent_id"], result["offset"]) for result in shop.find(query, **more).results]


def test_what_was_said_is_found_where_it_stands(shop: Searchable) -> None:
    log, other = shop.agent("a"), shop.agent("b")
    shop.say(log, numbered(0, 20_000))
    shop.say(other, b"\x1b[31mword7\x1b[0m of another\r\n")
    assert shop.index() == "done"
    (result,) = shop.find("word12345").results
    assert result["agent"] == "agent a"
    assert result["snippet"] == "step word12345 was taken by the worker at last"
    assert log.read_bytes()[result["offset"] :].startswith(b"step word12345 ")
    assert sorted(offsets(shop, "word7")) == [("a", numbered(0, 7).__len__()), ("b", 0)]
    assert offsets(shop, "word7", agent_id="b") == [("b", 0)]
    assert shop.behind() == 0


def test_of_common_words_only_the_text_tells(shop: Searchable) -> None:
    log = shop.agent("a")
    shop.say(log, numbered(0, 20_000) + b"rare " * 2000 + b"\r\nword5 rare worker\r\n")
    assert shop.index() == "done"
    with shop.opened() as (_, index):
        rarity = Rarity(index, volumes(index))
        (volume,) = rarity.volumes
        assert rarity.common(read_query("worker_word5 rare").terms, volume) == {'"worker"'}
    assert len(offsets(shop, "worker word12345")) == len(offsets(shop, '"word5 was"')) == 1
    assert not offsets(shop, '"word5 worker"')
    assert [log.read_bytes()[at:][:10] for _, at in offsets(shop, "rare worker")] == [b"word5 rare"]


@pytest.mark.parametrize("seed", range(3))
def test_kills_at_any_moment_lose_and_double_nothing(shop: Searchable, seed: int) -> None:
    """The log grows by a part, the process is killed somewhere in it; at last all is there once."""
    chance, log = random.Random(seed), shop.agent("a")
    shop.agent("b")
    killed = 0
    for part in range(12):
        shop.say(log, numbered(part * 4000, (part + 1) * 4000))
        process = shop.begin()
        wait_a_little(chance.uniform(0.05, 0.35))
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        shop.let_go(process)
    assert killed, "it was never killed in the middle"
    assert shop.index() == "done"
    end = 0
    for _, begin, stop in shop.passages():
        assert begin == end
        end = stop
    assert end == log.stat().st_size
    for number in chance.sample(range(48_000), 40):
        assert len(shop.find(f"word{number}").results) == 1


@pytest.mark.parametrize("rested", [False, True])
def test_while_much_is_said_it_rests(shop: Searchable, rested: bool) -> None:
    log = shop.agent("a")
    shop.say(log, numbered(0, 60_000), rested=rested)
    rests: list[float] = []

    def rest(seconds: float) -> None:
        rests.append(seconds)
        os.utime(log, (RESTED, RESTED))

    session, index = Session(shop.place, None), Index(shop.place, GIBIBYTE)
    Indexing(session, index, Hiding(None), goes_on=lambda: True, rest=rest).run()
    index.close()
    session.close()
    assert len(rests) == (0 if rested else 1)
    assert all(seconds > 0 for seconds in rests)
    assert shop.behind() == 0


def test_two_who_index_at_once_store_everything_once(shop: Searchable) -> None:
    log = shop.agent("a")
    shop.say(log, numbered(0, 60_000))
    processes = [shop.begin() for _ in range(3)]
    for process in processes:
        process.wait()
        shop.let_go(process)
    assert shop.index() == "done"
    assert [begin for _, begin, _ in shop.passages()] == sorted({begin for _, begin, _ in shop.passages()})
    assert shop.passages()[-1][2] == log.stat().st_size


def test_it_ends_with_whoever_began_it(shop: Searchable) -> None:
    log = shop.agent("a")
    shop.say(log, numbered(0, 200_000))
    process = shop.begin()
    shop.let_go(process)
    assert process.wait(20) in (0, 1)
    assert not (shop.place / NAME).exists() or shop.behind() > 0


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(os.urandom(100_000)),
        lambda path: path.write_bytes(b""),
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b"SQLite format 3\0" + os.urandom(50_000)),
        lambda path: os.truncate(path, 5000),
    ],
    ids=["garbage", "empty", "removed", "a header alone", "cut"],
)
def test_a_damaged_index_is_made_anew(shop: Searchable, damage: object) -> None:
    log = shop.agent("a")
    shop.say(log, numbered(0, 5000))
    shop.index()
    for end in ("-wal", "-shm"):
        (shop.place / f"{NAME}{end}").unlink(missing_ok=True)
    damage(shop.place / NAME)  # type: ignore[operator]
    for _ in range(3):
        if shop.index() == "done":
            break
    assert len(shop.find("word4999").results) == 1
    assert shop.passages()[-1][2] == log.stat().st_size


def test_an_index_of_another_version_is_made_anew(shop: Searchable) -> None:
    log = shop.agent("a")
    shop.say(log, numbered(0, 10))
    shop.index()
    with shop.opened():
        pass
    other = sqlite3.connect(shop.place / NAME)
    other.execute("PRAGMA user_version = 99")
    other.close()
    assert shop.index() == "done"
    assert len(shop.find("word9").results) == 1


def test_the_oldest_goes_when_there_is_too_much(shop: Searchable) -> None:
    log = shop.agent("a")
    shop.max_bytes = 1024 * 1024
    chance = random.Random(1)
    for part in range(6):
        lines = (f"round{part} {' '.join(f'{chance.getrandbits(40):x}' for _ in range(8))}\r\n" for _ in range(12_000))
        shop.say(log, "".join(lines).encode())
        assert shop.index() == "done"
    assert offsets(shop, "round0") == []
    assert offsets(shop, "round5") != []
    with shop.opened() as (_, index):
        ((dropped,),) = index.execute("SELECT value FROM counts WHERE name = 'dropped'").fetchall()
        ((pages,),) = index.execute("PRAGMA page_count").fetchall()
    assert dropped > 0
    assert pages * 4096 < 6 * shop.max_bytes
    assert shop.behind() == 0


def test_an_unfinished_line_waits_for_its_end_or_for_rest(shop: Searchable) -> None:
    log = shop.agent("a")
    shop.say(log, b"first line\r\nhalf a wo", rested=False)
    shop.index()
    assert offsets(shop, "first") == [("a", 0)]
    assert offsets(shop, "wo") == []
    shop.say(log, b"rd\r\ncontinue? [y/N] ")
    shop.index()
    assert offsets(shop, "word") == [("a", 12)]
    assert offsets(shop, "wo") == []
    assert offsets(shop, "continue") == [("a", 25)]


def test_a_log_that_its_program_has_cut_begins_anew(shop: Searchable) -> None:
    log = shop.agent("a", tty=False)
    shop.say(log, numbered(0, 1000))
    shop.index()
    os.truncate(log, 0)
    shop.say(log, b"something else\n")
    shop.index()
    assert offsets(shop, "word1") == []
    assert offsets(shop, "something") == [("a", 0)]


def test_what_was_dropped_from_a_log_is_found_no_more(shop: Searchable) -> None:
    log = shop.agent("a")
    shop.say(log, numbered(0, 2000))
    shop.index()
    shop.state.execute("UPDATE agents SET output_from = 50000 WHERE id = 'a'")
    assert offsets(shop, "word1") == []
    assert len(offsets(shop, "word1999")) == 1


def test_secrets_are_neither_found_nor_shown(shop: Searchable) -> None:
    log = shop.agent("a")
    key = b"".join(b"%064x\r\n" % (number**20) for number in range(200, 400))
    shop.say(log, b"export API_KEY=sk-verysecret0123456789\r\nplain password policy text\r\n")
    shop.say(log, b"-----BEGIN RSA PRIVATE KEY-----\r\n" + key + b"-----END RSA PRIVATE KEY-----\r\nafterwards\r\n")
    shop.event("spawned", {"command": ["sh", "--token", "hunter2hunter2"]}, "a")
    shop.index()
    assert offsets(shop, "verysecret0123456789") == []
    assert offsets(shop, "hunter2hunter2") == []
    for line in key.split()[::40]:
        assert offsets(shop, line.decode()) == []
    (result,) = shop.find("API_KEY").results
    assert "secret" not in result["snippet"]
    assert len(offsets(shop, "password policy")) == 1
    assert len(offsets(shop, "afterwards")) == 1


def test_events_are_found_by_what_they_say_and_whom_they_are_about(shop: Searchable) -> None:
    shop.agent("a")
    shop.event("failed", {"name": "fixer", "evidence": "exit status 3", "limits": {"memory": "1G"}}, "a")
    shop.event("daemon_started", {"notices": ["größer als sonst"]})
    shop.index()
    assert offsets(shop, '"exit status 3"') == [("a", 1)]
    assert offsets(shop, "memory 1G", agent_id="a", kinds=("event",)) == [("a", 1)]
    assert offsets(shop, "grosser") == [(None, 2)]
    assert offsets(shop, "failed", kinds=("output",)) == []


def test_many_agents_are_all_indexed_and_no_loud_one_keeps_others_waiting(shop: Searchable) -> None:
    loud = shop.agent("loud")
    shop.say(loud, numbered(0, 150_000))
    for number in range(300):
        shop.say(shop.agent(f"a{number}"), b"quiet%d says hello\r\n" % number)
    assert shop.index() == "done"
    for number in (0, 150, 299):
        assert offsets(shop, f"quiet{number}") == [(f"a{number}", 0)]
    first_loud_end = next(stop for agent, _, stop in shop.passages()[::-1] if agent == "loud")
    assert first_loud_end == loud.stat().st_size
    order = [agent for agent, _, _ in shop.passages()]
    assert order.index("a299") < len(order) - 1 - order[::-1].index("loud"), "they came before its end"


def test_without_room_nothing_is_written_and_that_is_told(shop: Searchable) -> None:
    log = shop.agent("a")
    shop.say(log, numbered(0, 10))
    free = os.statvfs(shop.place)
    room = free.f_bavail * free.f_frsize
    assert shop.index(room=room * 2) == "there is no room for the index"
    assert shop.behind() > 0
    assert shop.index() == "done"
    assert room > indexing.ROOM


@pytest.mark.parametrize("at", range(4066, 4100, 3))
@pytest.mark.parametrize("colour", [b"", b"\x1b[1m"])
def test_a_secret_in_a_line_that_is_cut_is_neither_found_nor_shown(tmp_path: Path, at: int, colour: bytes) -> None:
    """A line of programs is long: its passage ends anywhere, also between a name and its value."""
    line = b"x " * (at // 2) + colour + b"TOKEN=" + colour + b"abcdefgh12345678 " + b"and on " * 1000
    log = tmp_path / "output.log"
    log.write_bytes(line + b"\n")
    os.utime(log, (1_700_000_000, 1_700_000_000))
    said, hiding = Said(tmp_path, "stdout", 0, has_ended=True), Hiding(Rules())
    read = said.read(Source(0, "output", "a", "stdout", 0, b""), hiding)
    assert read is not None
    assert len(read.passages) > 2
    for passage in read.passages:
        told = [passage.text, said.text(passage.begin, passage.end, hiding)]
        told += [text for _, text in said.lines(passage.begin, passage.end, hiding)]
        assert not [text for text in told for part in ("abcd", "efgh", "1234", "5678") if part in text]
