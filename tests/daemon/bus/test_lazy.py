"""Who belongs to no bus pays nothing for it, and nothing of it is loaded before a fork."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOOKS = "import sys, importlib; importlib.import_module({!r}); print(*sorted({{'zmq', 'msgpack'}} & set(sys.modules)))"


@pytest.mark.parametrize("module", ["descartes_daemon.__main__", "descartes_daemon.main", "descartes_cli.runner"])
def test_nothing_of_the_bus_is_loaded_without_one(module: str) -> None:
    done = subprocess.run([sys.executable, "-c", LOOKS.format(module)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
