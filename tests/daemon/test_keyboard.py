"""Texts, keys and pastes reach agents as their programs ask for them."""

from __future__ import annotations

import asyncio
import base64
import os
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import InvalidParams, LimitReached, NotHere
from tests.support.inside import Inside, open_inside
from tests.support.programs import agent

pytestmark = pytest.mark.anyio


async def an_echoer(inside: Inside, **more: Any) -> str:
    spawned = await inside.spawn(agent("echoer"), **more)
    await inside.until(spawned["id"], b"ready")
    identity: str = spawned["id"]
    return identity


async def a_raw_one(inside: Inside, *words: str) -> str:
    spawned = await inside.spawn(agent("raw", *words))
    await inside.until(spawned["id"], b"ready\r\n")
    identity: str = spawned["id"]
    return identity


async def test_text_and_bytes_are_typed(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        assert await inside.call("agent.write", agent_id=identity, text="größe\n") == {"written": 8}
        data = base64.b64encode(b"bytes\n").decode()
        assert await inside.call("agent.write", agent_id=identity, data=data) == {"written": 6}
        said = await inside.until(identity, b"heard: bytes")
        assert "heard: größe".encode() in said


async def test_enter_is_pressed_after_the_echo(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        assert await inside.call("agent.write", agent_id=identity, text="hello", enter=True) == {"written": 6}
        assert await inside.until(identity, b"heard: hello") == b"ready\r\nhello\r\nheard: hello\r\n"
        await inside.call("agent.write", agent_id=identity, enter=True)
        await inside.until(identity, b"heard: \r\n")


@pytest.mark.parametrize(
    "wrong", [{}, {"text": "a", "data": "YQ=="}, {"data": "no base64"}, {"data": "größe"}, {"text": "\ud800"}]
)
async def test_what_cannot_be_typed_is_refused(short: Path, wrong: dict[str, Any]) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        with pytest.raises(InvalidParams):
            await inside.call("agent.write", agent_id=identity, **wrong)
        assert await inside.daemon.store.inputs(identity) == []


async def test_who_typed_how_much_is_recorded(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        await inside.call("agent.write", agent_id=identity, text="secret", enter=True)
        inputs = await inside.daemon.store.inputs(identity)
        assert [(client, length) for _, client, length in inputs] == [(f"pid {os.getpid()}", 7)]


async def test_a_size_is_set_and_remembered(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["sh", "-c", "read x; stty size"])
        await inside.call("agent.resize", agent_id=spawned["id"], rows=50, cols=132)
        await inside.call("agent.write", agent_id=spawned["id"], text="\n")
        await inside.ended(spawned["id"])
        assert (await inside.output(spawned["id"])).endswith(b"50 132\r\n")
        await inside.gone(spawned["id"])
        found = (await inside.call("agent.get", agent_id=spawned["id"]))["agent"]
        assert (found["rows"], found["cols"]) == (50, 132)


async def test_who_does_not_read_is_told_of(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        keys = inside.agent(identity).body.keys  # type: ignore[union-attr]
        await inside.call("agent.pause", agent_id=identity)
        line = "x" * 1000 + "\n"
        keys.type((line * 900).encode())
        with pytest.raises(LimitReached, match="does not read"):
            await inside.call("agent.write", agent_id=identity, text=line * 200)
        await inside.call("agent.kill", agent_id=identity)


async def test_a_paste_comes_in_brackets_and_enter_after_its_echo(short: Path) -> None:
    """Enter in the same write is part of the paste to codex and gemini: it was never submitted."""
    async with open_inside(short) as inside:
        identity = await a_raw_one(inside, "paste")
        text = "fix it\nand\x1b[201~ \x03then\x9b test"
        reply = await inside.call("agent.write", agent_id=identity, text=text, paste=True, enter=True)
        said = await inside.until(identity, rb"read b'\r'")
        assert rb"read b'\x1b[200~fix it\nand[201~ then test\x1b[201~'" in said
        assert reply == {"written": len(b"\x1b[200~fix it\nand[201~ then test\x1b[201~\r")}


async def test_a_paste_without_brackets_is_typed(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await a_raw_one(inside)
        await inside.call("agent.write", agent_id=identity, text="one\ntwo\x1b", paste=True, enter=True)
        said = await inside.until(identity, rb"read b'\r'")
        assert rb"read b'one\rtwo'" in said


async def test_two_texts_at_once_are_two_texts(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await a_raw_one(inside, "paste")
        texts = [f"text {number}" for number in range(3)]
        await asyncio.gather(
            *(inside.call("agent.write", agent_id=identity, text=text, paste=True, enter=True) for text in texts)
        )
        await inside.call("agent.write", agent_id=identity, text="x")
        said = await inside.until(identity, b"read b'x'")
        reads = [line.split(b" ", 1)[1] for line in said.splitlines() if line.startswith(b"read")][:-1]
        assert sorted(reads[::2]) == [rb"b'\x1b[200~%s\x1b[201~'" % text.encode() for text in texts]
        assert set(reads[1::2]) == {rb"b'\r'"}


async def test_a_key_waits_for_no_text(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["sh", "-c", "trap 'echo interrupted' INT; stty -echo; echo ready; cat; cat"])
        await inside.until(spawned["id"], b"ready")
        waiting = asyncio.create_task(inside.call("agent.write", agent_id=spawned["id"], text="x", enter=True))
        while not await inside.daemon.store.inputs(spawned["id"]):
            await inside.call("system.health")
        await inside.call("agent.write", agent_id=spawned["id"], text="\x03")
        await inside.until(spawned["id"], b"interrupted")
        await waiting


async def test_the_end_of_input_ends_who_reads(short: Path) -> None:
    async with open_inside(short) as inside:
        for more in ({}, {"tty": False}):
            spawned = await inside.spawn(["cat"], **more)
            await inside.call("agent.write", agent_id=spawned["id"], text="last", enter=True)
            await inside.call("agent.write", agent_id=spawned["id"], eof=True)
            assert (await inside.ended(spawned["id"]))["exit_code"] == 0
            assert b"last" in await inside.output(spawned["id"])


async def test_without_a_terminal_a_text_is_written_as_it_is(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["cat"], tty=False)
        text = "one\n\x1b[31mtwo\t"
        await inside.call("agent.write", agent_id=spawned["id"], text=text, paste=True, enter=True, eof=True)
        await inside.ended(spawned["id"])
        assert await inside.output(spawned["id"]) == text.encode() + b"\n"
        with pytest.raises(NotHere):
            await inside.call("agent.resize", agent_id=spawned["id"], rows=5, cols=5)
        with pytest.raises(NotHere):
            await inside.call("agent.screen", agent_id=spawned["id"])


async def test_bytes_are_not_pasted(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        with pytest.raises(InvalidParams, match="only a text"):
            await inside.call("agent.write", agent_id=identity, data="YQ==", paste=True)
