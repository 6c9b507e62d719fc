"""To which bus somebody belongs is read as it was written, and what is torn is told."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from descartes_core.errors import Unavailable
from descartes_local.bus_file import (
    BusFile,
    Keys,
    bus_file_of,
    find_bus_file,
    keys_in,
    read_bus_file,
    read_keys,
    write_bus_file,
    write_keys,
)
from descartes_local.home import Home

DAEMON = BusFile("daemon", "tcp://10.0.0.1:5555", "h" * 40, "laptop", "laptop.key")
RUNNER = BusFile("runner", "tcp://10.0.0.1:5555", "h" * 40, "big", "big.key", ("gpu", "arm"), 8)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.make()
    made.session("s").mkdir()
    return made


def test_a_runners_own_file_counts_before_its_homes(home: Home) -> None:
    assert find_bus_file(home, "s") is None
    write_bus_file(bus_file_of(home), DAEMON)
    assert find_bus_file(home, "s") == DAEMON
    write_bus_file(bus_file_of(home, "s"), RUNNER)
    assert find_bus_file(home, "s") == RUNNER
    assert find_bus_file(home, "another") == DAEMON


def test_keys_are_for_nobody_else(home: Home) -> None:
    path = keys_in(home, "big.key")
    assert read_keys(path) is None
    write_keys(path, Keys("p" * 40, "s" * 40))
    assert read_keys(path) == Keys("p" * 40, "s" * 40)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"role": "daemon", "labels": 7}'])
def test_what_is_torn_is_told(home: Home, content: str) -> None:
    bus_file_of(home).write_text(content)
    keys_in(home, "big.key").write_text(content)
    with pytest.raises(Unavailable):
        read_bus_file(bus_file_of(home))
    with pytest.raises(Unavailable):
        read_keys(keys_in(home, "big.key"))
