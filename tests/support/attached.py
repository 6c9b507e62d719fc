"""An agent, and connections that are its terminal."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from tests.support.inside import Inside, Line
from tests.support.programs import agent

#: Reads so many bytes without echo, and tells their checksum; a second word is a file that is read before.
_READER = """
import hashlib, os, sys, tty
tty.setraw(0)
os.write(1, b"ready")
if len(sys.argv) > 2:
    open(sys.argv[2]).read()
said = b""
while len(said) < int(sys.argv[1]):
    said += os.read(0, 65536)
os.write(1, hashlib.sha256(said).hexdigest().encode())
"""


async def attached(inside: Inside, identity: str, **more: Any) -> Line:
    """Attach a connection of its own."""
    line = await inside.line()
    await line.call("agent.attach", agent_id=identity, **more)
    return line


async def an_echoer(inside: Inside, **more: Any) -> str:
    """Start an agent that repeats its lines, and return its id; it has said `ready`."""
    spawned = await inside.spawn(agent("echoer"), **more)
    await inside.until(spawned["id"], b"ready\r\n")
    identity: str = spawned["id"]
    return identity


def reader(count: int, *words: object) -> list[str]:
    """Return a program that reads so many bytes and tells their checksum."""
    return [sys.executable, "-I", "-S", "-c", _READER, str(count), *map(str, words)]


async def tasks_done(prefix: str) -> None:
    """Wait for the tasks of this name; the daemon works in this very loop."""
    await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name().startswith(prefix)))
