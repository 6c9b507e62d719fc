"""What the store acknowledged is on disk, and it survives what happens to it."""

from __future__ import annotations

import asyncio
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from descartes_core.agent_life import Cause, State
from descartes_core.errors import IllegalTransition, SchemaTooNew, Unavailable
from descartes_daemon import store as store_module
from descartes_daemon.store import Store
from descartes_daemon.stored import Remain, StoredRequest
from descartes_daemon.unit import Unit
from tests.support import committer
from tests.support.rows import NOW, added, an_agent, started, told

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    before = set(threading.enumerate())
    yield tmp_path / "state.db"
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive()
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """Let no file of this process grow beyond what the write-ahead log has (Python ignores SIGXFSZ)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.with_name(path.name + "-wal").stat().st_size + 1000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_what_was_committed_is_read_again(path: Path) -> None:
    async with Store.open(path) as store:
        await store.commit(added("a").add_agent(an_agent("b", created_at=NOW - 1)).accept("r", "agent.spawn", NOW))
        await store.commit(started("a").set_process("a", 7, 8, "boot").answer("r", {"agent": "a"}, NOW))
        await store.commit(Unit().remain("a", 9, 10, None).typed("a", NOW, "unix", 3).note("word", "kept"))
    async with Store.open(path) as store:
        agent = await store.agent("a")
        assert agent
        assert (agent.state, agent.cause, agent.pid, agent.boot_id) == (State.RUNNING, "spawned", 7, "boot")
        assert [row.id for row in await store.agents()] == ["b", "a"]
        assert await store.agent("nobody") is None
        assert [(move.was, move.became) for move in await store.transitions("a")] == [("initializing", "running")]
        assert await store.reply_of("r") == StoredRequest("agent.spawn", {"agent": "a"})
        assert await store.reply_of("other") is None
        assert await store.remains() == [Remain("a", 9, 10, None)]
        assert await store.inputs("a") == [(NOW, "unix", 3)]
        assert (await store.noted("word"), await store.noted("other")) == ("kept", None)
        assert await store.healthy() == "healthy"


async def test_a_request_without_an_answer_is_told_apart(path: Path) -> None:
    async with Store.open(path) as store:
        await store.commit(Unit().accept("r", "agent.write", NOW))
        assert await store.reply_of("r") == StoredRequest("agent.write", None)


async def test_living_agents_are_those_the_table_of_lives_can_move(path: Path) -> None:
    async with Store.open(path) as store:
        await store.commit(added("a").add_agent(an_agent("b")))
        await store.commit(started("a").move("a", State.RUNNING, State.FAILED, Cause.ENDED_BADLY, at=NOW))
        assert [row.id for row in await store.agents(living_only=True)] == ["b"]


async def test_units_committed_at_once_are_one_transaction(path: Path) -> None:
    async with Store.open(path) as store:
        groups: list[list[int]] = []
        store.on_commit = lambda events: groups.append([event["seq"] for event in events])
        outcomes = await asyncio.gather(*(store.commit(told("x", number=number)) for number in range(500)))
    assert [event["data"]["number"] for (event,) in outcomes] == list(range(500))
    assert [seq for group in groups for seq in group] == list(range(1, 501))
    assert len(groups) < 10


async def test_one_that_is_refused_fails_alone(path: Path) -> None:
    async with Store.open(path) as store:
        await store.commit(added())
        outcomes = await asyncio.gather(*(store.commit(started()) for _ in range(5)), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [list, *[IllegalTransition] * 4]


async def test_listeners_are_told_before_the_caller(path: Path) -> None:
    async with Store.open(path) as store:
        order: list[Any] = []
        store.on_commit = order.extend
        order.append(await store.commit(told("x")))
        assert order == [order[1][0], order[1]]
        assert store.last_seq() == 1


async def test_a_caller_that_gives_up_does_not_undo(path: Path) -> None:
    async with Store.open(path) as store:
        giving_up = asyncio.create_task(store.commit(added("a")))
        asyncio.get_running_loop().call_soon(giving_up.cancel)
        with pytest.raises(asyncio.CancelledError):
            await giving_up
        await store.commit(Unit())
        assert await store.agent("a")


async def test_what_is_queued_is_written_before_the_end(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with Store.open(path) as store:
        for number in range(100):
            store.enqueue(told("x", number=number))
        store.enqueue(started("nobody"))
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        "not stored: there is no agent nobody"
    ]
    async with Store.open(path) as store:
        assert store.last_seq() == 100
        assert [event["seq"] for event in await store.events_after(90, 5)] == [91, 92, 93, 94, 95]
    assert path.with_name("state.db-wal").exists() is False


async def test_who_comes_when_too_much_is_queued_waits(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "LONGEST_QUEUE", 3)
    async with Store.open(path) as store:
        for _ in range(5):
            store.enqueue(told("x"))  # the last two are told in the log
        outcomes = await asyncio.gather(*(store.commit(told("y")) for _ in range(20)))
        assert sorted(event["seq"] for (event,) in outcomes) == list(range(4, 24))


async def test_a_closed_store_says_so(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with Store.open(path) as store:
        pass
    with pytest.raises(Unavailable, match="is closed"):
        await store.commit(Unit())
    store.enqueue(Unit())
    assert "not stored: the store is closed" in caplog.text
    assert await store.healthy() == f"{path} is closed"


async def test_a_full_disk_is_told_and_survived(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with Store.open(path) as store:
        await store.commit(added())
        with full_disk(path):
            for _ in range(2):
                with pytest.raises(Unavailable, match=f"cannot write {path}"):
                    await store.commit(told("x", fill="y" * 5000))
            assert (await store.healthy()).startswith(f"cannot write {path}")
            assert await store.agent("a"), "what is there can be read"
        (event,) = await store.commit(told("x", fill="y" * 5000))
        assert event["seq"] == 1
        assert await store.healthy() == "healthy"
    assert len(caplog.records) == 1, "the same trouble is told once"


async def test_a_removed_database_is_noticed(path: Path) -> None:
    async with Store.open(path) as store:
        content = path.read_bytes()
        path.rename(path.with_name("elsewhere"))
        assert await store.healthy() == f"{path} was removed or replaced"
        path.write_bytes(content)
        assert await store.healthy() == f"{path} was removed or replaced"
        path.with_name("elsewhere").rename(path)
        assert await store.healthy() == "healthy"


async def test_a_database_that_cannot_be_read_is_told(path: Path) -> None:
    async with Store.open(path) as store:
        with closing(sqlite3.connect(path)) as somebody:
            somebody.executescript("DROP TABLE meta; DROP TABLE inputs;")
        assert await store.healthy() == f"cannot read {path}: no such table: meta"
        with pytest.raises(Unavailable, match="no such table: inputs"):
            await store.inputs("a")
        await store.commit(added())


async def test_a_fault_in_telling_leaves_nobody_waiting(path: Path) -> None:
    def fault(_events: list[dict[str, Any]]) -> None:
        raise RuntimeError("a fault of ours")

    async def use() -> None:
        async with Store.open(path) as store:
            store.on_commit = fault
            outcomes = await asyncio.gather(*(store.commit(told("x")) for _ in range(5)), return_exceptions=True)
            assert [type(outcome) for outcome in outcomes] == [Unavailable] * 5
            with pytest.raises(Unavailable):
                await store.commit(Unit())

    with pytest.raises(RuntimeError, match="a fault of ours"):
        await use()


@pytest.mark.parametrize("file", ["not a database\n" * 100, None])
async def test_what_cannot_be_opened_leaves_no_thread(tmp_path: Path, file: str | None) -> None:
    threads = threading.active_count()
    path = tmp_path / "state.db"
    path.write_text(file) if file else path.mkdir()
    with pytest.raises(Unavailable):
        async with Store.open(path):
            pass
    assert threading.active_count() == threads


async def test_a_newer_schema_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("PRAGMA application_id = 0x44534352; PRAGMA user_version = 99; CREATE TABLE x (y);")
    with pytest.raises(SchemaTooNew):
        async with Store.open(path):
            pass


async def test_a_store_at_rest_sets_no_timer(path: Path) -> None:
    async with Store.open(path) as store:
        await store.commit(told("x"))
        assert asyncio.get_running_loop()._scheduled == []  # type: ignore[attr-defined]


def test_a_kill_loses_nothing_that_was_acknowledged(path: Path) -> None:
    acknowledged: dict[int, str] = {}
    for _ in range(5):
        child = subprocess.Popen([sys.executable, committer.__file__, str(path)], stdout=subprocess.PIPE, text=True)
        assert child.stdout
        lines = [child.stdout.readline() for _ in range(300)]
        child.send_signal(signal.SIGKILL)
        lines += child.stdout.readlines()
        child.wait()
        child.stdout.close()
        acknowledged |= {
            int(seq): identity for seq, identity in (line.split() for line in lines if line.endswith("\n"))
        }
    stored = asyncio.run(all_events(path))
    assert [event["seq"] for event in stored] == list(range(1, len(stored) + 1))
    assert {event["seq"]: event["id"] for event in stored if event["seq"] in acknowledged} == acknowledged


async def all_events(path: Path) -> list[dict[str, Any]]:
    async with Store.open(path) as store:
        return await store.events_after(0, 1_000_000)
