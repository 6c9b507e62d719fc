from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.session_life import State
from descartes_core.session_record import DaemonInfo, SessionRecord, UnreadableRecord, read_record

#: As the original writes it.
BEVY: dict[str, Any] = {
    "id": "0b6c9d6e-3f6e-4e6c-9d55-2f3f1c8a7a11",
    "name": "Bevy",
    "path": "~/gauntlet/terra/bevy",
    "created_at": "2025-12-04T20:14:07.123456Z",
    "last_accessed": "2025-12-04T20:15:00.000001Z",
    "status": "Inactive",
    "daemon_info": None,
}
DAEMON = {
    "pid": 7,
    "http_endpoint": "http://127.0.0.1:19280",
    "ws_endpoint": "ws://127.0.0.1:19380",
    "started_at": "2025-12-04T20:15:00.000001Z",
}


def test_the_original_s_file_comes_back_key_by_key() -> None:
    assert json.dumps(read_record(BEVY).as_json()) == json.dumps(BEVY)


def test_daemon_info_comes_back_too() -> None:
    value = {**BEVY, "status": "Active", "daemon_info": DAEMON}
    record = read_record(value)
    assert record.status is State.ACTIVE
    assert record.daemon_info == DaemonInfo(7, DAEMON["http_endpoint"], DAEMON["ws_endpoint"], DAEMON["started_at"])
    assert json.dumps(record.as_json()) == json.dumps(value)


@given(st.dictionaries(st.text().filter(lambda key: key not in BEVY), st.integers() | st.text() | st.none()))
def test_keys_of_others_are_kept_in_their_order(more: dict[str, Any]) -> None:
    assert list(read_record({**BEVY, **more}).as_json()) == [*BEVY, *more]


def test_the_pair_of_ports_is_remembered() -> None:
    record = read_record({**BEVY, "theirs": 1}).with_ports(19280, 19380)
    assert record.ports == (19280, 19380)
    assert read_record(record.as_json()).ports == (19280, 19380)
    assert record.more == {"theirs": 1, "ports": {"http": 19280, "ws": 19380}}


@pytest.mark.parametrize("ports", [None, 1, {}, {"http": "80", "ws": 1}, {"http": 1}, {"http": True, "ws": False}])
def test_a_pair_that_is_none_counts_as_none(ports: Any) -> None:
    assert read_record({**BEVY, "ports": ports}).ports is None


def test_what_may_be_missing_has_a_default() -> None:
    least = {key: BEVY[key] for key in ("id", "name", "path", "created_at")}
    assert read_record(least) == SessionRecord(BEVY["id"], "Bevy", BEVY["path"], BEVY["created_at"])


@pytest.mark.parametrize("daemon", [1, {}, {"http_endpoint": 1}])
def test_a_daemon_that_is_none_counts_as_none(daemon: Any) -> None:
    assert read_record({**BEVY, "daemon_info": daemon}).daemon_info is None


def test_a_daemon_without_pid_is_one() -> None:
    info = read_record({**BEVY, "daemon_info": {"pid": "x", "http_endpoint": "http://h"}}).daemon_info
    assert info == DaemonInfo(None, "http://h", None, "")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "not an object"),
        ([], "not an object"),
        ({}, "id, name, path, created_at missing"),
        ({**BEVY, "name": 3}, "name missing"),
        ({**BEVY, "id": "../../etc"}, "no UUID"),
        ({**BEVY, "status": "Sleeping"}, "unknown status 'Sleeping'"),
        ({**BEVY, "status": []}, "unknown status"),
    ],
)
def test_what_is_no_session_says_why(value: Any, reason: str) -> None:
    with pytest.raises(UnreadableRecord, match=reason):
        read_record(value)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*BEVY, "ports", "theirs"]), _JSON))
def test_whatever_stands_under_our_keys_is_a_session_or_says_why_not(garbage: dict[str, Any]) -> None:
    for value in (garbage, {**BEVY, **garbage}):
        try:
            record = read_record(value)
        except UnreadableRecord:
            continue
        assert read_record(json.loads(json.dumps(record.as_json()))).id == record.id
        assert record.ports is None or all(type(port) is int for port in record.ports)
