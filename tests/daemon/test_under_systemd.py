"""The same daemon under systemd: its sockets, its descriptor store, and nobody who tells exit statuses."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from descartes_core.errors import Shortage
from descartes_core.ids import new_id
from descartes_local.processes import is_alive, process_of
from descartes_local.run_file import read_run_files
from tests.support.kept_daemon import KeptDaemon, assert_flood_outlives_kills, kept_daemon
from tests.support.moments import Moments
from tests.support.person import Person
from tests.support.programs import agent
from tests.support.systemd_stand_in import Options
from tests.support.waiting import wait_until

Manager = Callable[..., KeptDaemon]
#: Of a session: its two locks. Of an agent: its terminal, both ends of its pipe, its process.
LOCKS, AN_AGENT = 2, 4


@pytest.fixture
def systemd(person: Person, moments: Moments) -> Iterator[Manager]:
    """Give a maker of daemons under systemd, with what is said in their unit."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(kept_daemon(person, Options(**options).words))


def notices(kept: KeptDaemon) -> list[str]:
    found: list[str] = kept.call("session.info")["session"]["notices"]
    return found


@pytest.mark.parametrize("names", ["shop.socket:shop.socket:shop.socket", "http:ws:rpc", "unknown:unknown:unknown"])
def test_it_serves_what_systemd_listens_at(systemd: Manager, names: str) -> None:
    kept = systemd(names=names)
    told = kept.call("session.info")["session"]
    assert told["http_endpoint"] != told["ws_endpoint"]
    assert told["notices"] == []
    assert [run.keeper for run in read_run_files(kept.person.home)] == ["systemd"]
    assert "none runs; the next command that needs one starts it" in kept.person.run("doctor", check=False).stdout
    assert "DESCARTES_SUPERVISOR=" not in Path(f"/proc/{kept.pid}/environ").read_text()


def test_a_flood_loses_nothing_when_its_daemon_is_killed(systemd: Manager, tmp_path: Path) -> None:
    assert_flood_outlives_kills(systemd(), tmp_path)


@pytest.mark.parametrize(("how", "told"), [("exit 7", (7, None)), ("kill -ABRT $$", (None, "SIGABRT"))])
@pytest.mark.parametrize("tty", [True, False])
def test_an_end_while_no_daemon_is_there_is_known(
    systemd: Manager, tmp_path: Path, how: str, told: tuple[int | None, str | None], tty: bool
) -> None:
    """systemd reaps whatever comes to it: after that only a process's own descriptor tells."""
    kept, go = systemd(waits=True), tmp_path / "go"
    os.mkfifo(go)
    spawned = kept.spawn(["sh", "-c", f"read line < {go}; echo last words; {how}"], tty=tty)
    kept.kill()
    kept.until("ended")
    go.write_text("\n")
    wait_until(lambda: process_of(spawned["pid"]) is None, "systemd has reaped it")
    tell(kept, "start")
    kept.until("ready")
    ended = kept.ended(spawned["id"])
    assert (ended["exit_code"], ended["signal"]) == told
    assert kept.output(spawned["id"]).split() == [b"last", b"words"]


def test_a_full_store_is_told_and_nothing_runs_that_would_die_with_the_daemon(systemd: Manager, tmp_path: Path) -> None:
    kept = systemd(store_max=LOCKS + AN_AGENT)
    first = kept.spawn(agent("echoer"))
    kept.until_said(first["id"], b"ready")
    refused, mark = new_id(), tmp_path / "ran"
    with pytest.raises(
        Shortage, match=r"6 of this service's 6 descriptors \(FileDescriptorStoreMax\): end some agents"
    ):
        kept.spawn(["touch", str(mark)], agent_id=refused)
    assert kept.get(refused)["status"] == "failed"
    assert not mark.exists()
    assert any("FileDescriptorStoreMax" in notice for notice in notices(kept))
    kept.kill()
    kept.call("agent.write", agent_id=first["id"], text="hello\n")
    kept.until_said(first["id"], b"heard: hello")
    kept.call("agent.kill", agent_id=first["id"])
    assert kept.ended(kept.spawn(["true"])["id"])["exit_code"] == 0
    assert notices(kept) == []


@pytest.mark.parametrize("options", [{"store_max": 0}, {"tells_store": False}])
def test_where_nothing_is_kept_agents_end_with_their_daemon_and_that_is_told(
    systemd: Manager, options: dict[str, int]
) -> None:
    """Before systemd 254 a service is not told how much is kept: its unit must say so."""
    kept = systemd(**options)
    spawned = kept.spawn(agent("echoer"))
    assert "keep" in kept.get(spawned["id"])["notice"]
    assert "FileDescriptorStoreMax" in notices(kept)[0]
    process = process_of(spawned["pid"])
    assert process is not None
    tell(kept, "stop")
    assert kept.until("ended") == "0"
    assert kept.until("kept") == ""
    assert not is_alive(process)


def test_what_is_preserved_over_a_stop_is_adopted_by_the_next_start(systemd: Manager) -> None:
    kept = systemd(preserves=True)
    spawned = kept.spawn(agent("echoer"))
    kept.until_said(spawned["id"], b"ready")
    tell(kept, "stop")
    assert kept.until("ended") == "0"
    assert len(kept.until("kept").split()) == LOCKS + AN_AGENT
    tell(kept, "start")
    kept.until("ready")
    kept.call("agent.write", agent_id=spawned["id"], text="exit 9\n")
    assert kept.ended(spawned["id"])["exit_code"] == 9


def tell(kept: KeptDaemon, word: str) -> None:
    """Ask the service manager for something."""
    assert kept.keeper.stdin is not None
    kept.keeper.stdin.write(f"{word}\n")
    kept.keeper.stdin.flush()
