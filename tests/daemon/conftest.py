"""Coroutines as tests; PYTHONASYNCIODEBUG=1 lets the loop watch itself, at four times the time."""

from __future__ import annotations

import shutil
import tempfile
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from descartes_daemon.terminal import Terminal


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def short() -> Iterator[Path]:
    """Give a directory whose name leaves room for that of a socket."""
    directory = Path(tempfile.mkdtemp(prefix="d", dir="/tmp"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """Give a terminal that changes nothing of what goes through it."""
    terminal = Terminal.open(24, 80)
    tty.setraw(terminal._slave or 0)
    yield terminal
    terminal.close()
