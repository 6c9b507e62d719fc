from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from descartes_core.ids import new_id
from descartes_local.home import Home
from descartes_local.processes import Process, process_of
from descartes_local.run_file import RunFile, read_run_file, read_run_files, remove_run_file, write_run_file


def run_file(session_id: str, process: Process, name: str = "shop") -> RunFile:
    return RunFile(
        session_id=session_id,
        name=name,
        path="/w",
        pid=process.pid,
        process_started=process.started,
        instance_id=new_id(),
        http_endpoint="http://127.0.0.1:1",
        ws_endpoint="ws://127.0.0.1:2",
        socket="/s",
        started_at="2025-12-04T20:14:07.123456Z",
        version="0.1.0",
    )


@pytest.fixture
def me() -> Process:
    found = process_of(os.getpid())
    assert found is not None
    return found


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.make()
    return home


def test_what_is_written_is_read_and_removed(home: Home, me: Process) -> None:
    run = run_file(new_id(), me)
    write_run_file(home, run)
    assert read_run_files(home) == [run]
    assert run.is_alive
    remove_run_file(home, run.session_id)
    remove_run_file(home, run.session_id)
    assert read_run_files(home) == []


def test_the_same_pid_at_another_time_is_another_process(me: Process) -> None:
    assert not run_file(new_id(), me)._replace(process_started=me.started - 1).is_alive


def test_an_older_daemon_s_tells_of_no_keeper(home: Home, me: Process) -> None:
    run = run_file(new_id(), me)
    write_run_file(home, run)
    path = home.run_file(run.session_id)
    path.write_text(json.dumps({name: value for name, value in run._asdict().items() if name != "keeper"}))
    assert read_run_file(path) == run


def test_they_come_by_name(home: Home, me: Process) -> None:
    for name in "cab":
        write_run_file(home, run_file(new_id(), me, name))
    assert [run.name for run in read_run_files(home)] == ["a", "b", "c"]


@pytest.mark.parametrize("content", ["", "{}", "[]", "nonsense", '{"pid": "x", "process_started": 1}'])
def test_what_is_none_counts_as_none(content: str, home: Home) -> None:
    (home.run / "0b6c9d6e.json").write_text(content)
    assert read_run_files(home) == []


@pytest.mark.parametrize(("key", "value"), [("name", {"a": 1}), ("pid", "1"), ("pid", 1e999), ("socket", "/a\0b")])
def test_what_is_of_another_type_counts_as_none(key: str, value: object, home: Home, me: Process) -> None:
    """A name that was no text once made every command fail that lists sessions."""
    write_run_file(home, run_file(new_id(), me))
    other = {**run_file(new_id(), me)._asdict(), key: value}
    (home.run / "other.json").write_text(json.dumps(other))
    assert len(read_run_files(home)) == 1


def test_what_a_newer_daemon_tells_besides_is_left_out(home: Home, me: Process) -> None:
    run = run_file(new_id(), me)
    (home.run / "other.json").write_text(json.dumps({**run._asdict(), "gateway": "http://127.0.0.1:8321"}))
    assert read_run_files(home) == [run]


def test_without_a_directory_there_are_none(tmp_path: Path) -> None:
    assert read_run_files(Home(tmp_path / "none")) == []
    assert read_run_file(tmp_path / "none") is None
