"""systemd's notify protocol, spoken to a real datagram socket."""

from __future__ import annotations

import array
import asyncio
import os
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from descartes_core.errors import Shortage
from descartes_daemon.keeping import Keeping
from descartes_daemon.notify import Notifier

pytestmark = pytest.mark.anyio


@pytest.fixture
def heard(short: Path) -> Iterator[socket.socket]:
    """Give the socket of who started us."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(short / "notify"))
        listening.settimeout(10)
        yield listening


@pytest.fixture
def notifier(heard: socket.socket) -> Iterator[Notifier]:
    notifier = Notifier(heard.getsockname())
    yield notifier
    notifier.close()


def receive(heard: socket.socket) -> tuple[list[str], list[int]]:
    """Return one message and the descriptors that came with it."""
    data, ancillary, _, _ = heard.recvmsg(4096, socket.CMSG_SPACE(64))
    rights = array.array("i")
    for _, _, payload in ancillary:
        rights.frombytes(payload)
    return data.decode().split("\n"), list(rights)


def keep_all(heard: socket.socket, barriers: int) -> dict[str, int]:
    """Answer so many barriers, and return what was kept until then."""
    kept = {}
    while barriers:
        lines, descriptors = receive(heard)
        if lines == ["BARRIER=1"]:
            os.close(descriptors[0])
            barriers -= 1
        else:
            kept[dict(line.split("=") for line in lines)["FDNAME"]] = descriptors[0]
    return kept


async def test_what_is_told_after_a_loss_is_told_to_whoever_listens_there_then(short: Path) -> None:
    path = str(short / "again")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as first:
        first.bind(path)
        notifier = Notifier(path)
        assert await notifier.tell("first")
    assert not await notifier.tell("to nobody")
    notifier.lose()
    assert not notifier.is_heard
    assert not await notifier.reconnect()
    os.unlink(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as second:
        second.bind(path)
        second.settimeout(10)
        assert await notifier.reconnect()
        assert await notifier.tell("second")
        assert receive(second) == (["second"], [])
    notifier.close()


async def test_a_keeper_that_dies_over_a_barrier_keeps_nothing_and_is_not_full(short: Path) -> None:
    """Its end closes what it was asked by: that was taken for a refusal, and once for a yes."""
    path = str(short / "dying")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dying:
        dying.bind(path)
        notifier = Notifier(path)
        keeping = Keeping(notifier, "/nobody", {})
        giving = asyncio.create_task(keeping.keep({"thing": dying.fileno()}))
        await asyncio.to_thread(select.select, [dying], [], [], 10)
        dying.close()
        assert await giving is False
        assert keeping.trouble is None
        keeping.lose()
        assert not keeping.has_keeper
        notifier.close()


async def test_words_arrive_as_systemd_expects_them(heard: socket.socket, notifier: Notifier) -> None:
    assert await notifier.tell("READY=1", "STATUS=serving")
    assert receive(heard) == (["READY=1", "STATUS=serving"], [])


async def test_a_descriptor_comes_with_its_name(heard: socket.socket, notifier: Notifier) -> None:
    out, into = os.pipe()
    keeping = asyncio.create_task(Keeping(notifier, None, {}, room=9).keep({"a-name": out}))
    kept = await asyncio.to_thread(keep_all, heard, 1)
    assert await keeping
    os.write(into, b"the same pipe")
    assert os.read(kept["a-name"], 100) == b"the same pipe"
    for descriptor in (out, into, kept["a-name"]):
        os.close(descriptor)


async def test_a_barrier_holds_until_all_before_is_done(heard: socket.socket, notifier: Notifier) -> None:
    waiting = asyncio.create_task(notifier.barrier())
    lines, (descriptor,) = await asyncio.to_thread(receive, heard)
    assert lines == ["BARRIER=1"]
    assert not waiting.done()
    os.close(descriptor)
    assert await waiting


async def test_many_keep_at_once_though_the_queue_is_short(heard: socket.socket, notifier: Notifier) -> None:
    """Two that waited for room in the same socket once took each other's place, and one waited in vain."""
    keeping = Keeping(notifier, None, {}, room=180)
    out, into = os.pipe()
    tasks = [asyncio.create_task(keeping.keep({f"{number}-{part}": out for part in "abc"})) for number in range(60)]
    kept = await asyncio.to_thread(keep_all, heard, 60)
    assert all(await asyncio.gather(*tasks))
    assert len(kept) == 180
    for descriptor in (out, into, *kept.values()):
        os.close(descriptor)


async def test_what_is_forgotten_is_told(heard: socket.socket, notifier: Notifier) -> None:
    await Keeping(notifier, None, {}).forget("one", "two")
    assert [receive(heard)[0] for _ in range(2)] == [
        ["FDSTOREREMOVE=1", "FDNAME=one"],
        ["FDSTOREREMOVE=1", "FDNAME=two"],
    ]


async def test_an_abstract_address_is_understood() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0descartes-test-{os.getpid()}")
        notifier = Notifier(f"@descartes-test-{os.getpid()}")
        assert await notifier.tell("READY=1")
        assert listening.recv(100) == b"READY=1"
        notifier.close()


@pytest.mark.parametrize("path", [None, "", "/no/such/socket"])
async def test_where_nobody_listens_nothing_is_kept(path: str | None) -> None:
    notifier = Notifier(path)
    assert not notifier.is_heard
    assert not await notifier.tell("READY=1")
    assert not await notifier.barrier()
    assert not await Keeping(notifier, None, {}, room=9).keep({"a": 0})
    notifier.close()


async def test_what_the_kernel_does_not_pass_on_is_not_called_kept(heard: socket.socket, notifier: Notifier) -> None:
    """It has bounds of its own for descriptors on their way; here one is not even open."""
    keeping = Keeping(notifier, None, {}, room=9)
    with pytest.raises(Shortage, match="cannot be passed on: Bad file descriptor"):
        await keeping.keep({"a": 9999})
    assert "cannot be passed on" in keeping.troubles[0]
    assert not await keeping.try_keep({"a": 9999})


async def test_who_goes_away_is_noticed(heard: socket.socket, notifier: Notifier) -> None:
    heard.close()
    assert not await notifier.tell("READY=1")
    assert not await notifier.barrier()
    assert not await Keeping(notifier, None, {}, room=9).keep({"a": 0})
