from __future__ import annotations

import os
from pathlib import Path

import pytest

from descartes_local.home import Home
from descartes_local.processes import process_of
from descartes_local.run_file import read_run_files
from descartes_local.supervisor_file import (
    SupervisorFile,
    read_supervisor_file,
    remove_supervisor_file,
    write_supervisor_file,
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.make()
    return home


def me() -> SupervisorFile:
    process = process_of(os.getpid())
    assert process is not None
    return SupervisorFile(process.pid, process.started, "1.2.3", "1.2.3-abc")


def test_what_is_written_is_read_and_removed_and_is_no_session_s(home: Home) -> None:
    write_supervisor_file(home, me())
    assert read_supervisor_file(home) == me()
    assert read_run_files(home) == []
    remove_supervisor_file(home)
    remove_supervisor_file(home)
    assert read_supervisor_file(home) is None


def test_one_that_is_dead_is_none(home: Home) -> None:
    write_supervisor_file(home, me()._replace(started=me().started - 1))
    assert read_supervisor_file(home) is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"pid": 1}', '{"pid": "1", "started": 1, "version": "", "stamp": ""}', "nul\0"]
)
def test_garbage_tells_nothing(home: Home, text: str) -> None:
    (home.run / "supervisor.json").write_text(text)
    assert read_supervisor_file(home) is None
