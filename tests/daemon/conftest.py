"""Coroutines as tests, in a loop that watches itself."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"debug": True}


@pytest.fixture
def short() -> Iterator[Path]:
    """Give a directory whose name leaves room for that of a socket."""
    directory = Path(tempfile.mkdtemp(prefix="d", dir="/tmp"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
