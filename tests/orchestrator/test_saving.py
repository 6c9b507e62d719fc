"""A supervisor's state comes back as it was written, from older and newer code too; what is none is refused."""

from __future__ import annotations

import json
import os
import string
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_orchestrator.supervisor import saving
from descartes_orchestrator.supervisor.saving import (
    SavedCall,
    SavedForkServer,
    SavedKept,
    SavedPeer,
    SavedSession,
    SavedState,
    decode,
    encode,
)

numbers = st.integers(0, 2**31 - 1)
texts = st.text(max_size=20)
plain = st.dictionaries(texts, st.none() | st.booleans() | numbers | texts | st.lists(numbers, max_size=2), max_size=3)
kept = st.builds(SavedKept, texts, numbers, st.none() | st.tuples(numbers, numbers))
sessions = st.builds(
    SavedSession,
    wanted=plain,
    state=texts,
    restarts=numbers,
    failure=st.none() | st.tuples(texts, texts),
    was_ready=st.booleans(),
    lets_go=st.booleans(),
    is_stuck=st.booleans(),
    early_deaths=numbers,
    deaths=st.lists(st.floats(0, 1e9), max_size=3).map(tuple),
    daemon=st.none() | plain,
    doors=st.none() | st.tuples(numbers, numbers, numbers),
    ear=st.none() | numbers,
    kept=st.lists(kept, max_size=3).map(tuple),
    refused=st.none() | texts,
)
#: Any bytes may be under way.
halves = st.binary(max_size=50).map(lambda data: data.decode("latin-1"))
peers = st.builds(SavedPeer, numbers, halves, halves, st.booleans(), st.booleans(), plain)
calls = st.builds(SavedCall, numbers, st.none() | texts | numbers | st.floats(-1, 1), texts, plain, st.booleans())
states = st.builds(
    SavedState,
    version=texts,
    stamp=texts,
    started_at=texts,
    listener=numbers,
    life=st.none() | numbers,
    renewals=numbers,
    sessions=st.lists(sessions, max_size=3).map(tuple),
    peers=st.lists(peers, max_size=3).map(tuple),
    calls=st.lists(calls, max_size=2).map(tuple),
    askers=st.lists(calls, max_size=2).map(tuple),
    orphans=st.lists(st.tuples(numbers, numbers, texts), max_size=2).map(tuple),
    fork_server=st.none() | st.builds(SavedForkServer, numbers, numbers, numbers, texts),
)
SMALL = SavedState("0.1.0", "stamp", "2025-12-04T20:14:07.123456Z", 3)


@given(states)
def test_what_is_written_comes_back(state: SavedState) -> None:
    assert decode(encode(state)) == state


@given(states, texts.map(lambda name: f"new_{name}"), plain)
def test_what_newer_code_wrote_besides_is_left_out(state: SavedState, name: str, value: object) -> None:
    told = json.loads(encode(state))
    for each in [told, *told["sessions"], *told["peers"], *told["calls"], *told["askers"]]:
        each[name] = value
    if told["fork_server"]:
        told["fork_server"][name] = value
    for session in told["sessions"]:
        for each in session["kept"]:
            each[name] = value
    assert decode(json.dumps(told).encode()) == state


def test_what_older_code_did_not_write_has_its_default() -> None:
    told = {"format": 1, "version": "0.1.0", "stamp": "stamp", "started_at": SMALL.started_at, "listener": 3}
    assert decode(json.dumps(told).encode()) == SMALL


@given(st.binary(max_size=40) | st.sampled_from([b"{}", b"[]", b'{"format": 1}', b'{"format": 1, "sessions": 3}']))
def test_what_is_no_state_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        decode(data)


def test_another_format_is_refused_and_named() -> None:
    told = json.loads(encode(SMALL)) | {"format": 2}
    with pytest.raises(ValueError, match="format 2"):
        decode(json.dumps(told).encode())


def test_its_descriptors_are_all_that_the_next_one_needs() -> None:
    session = SavedSession({}, "Active", doors=(5, 6, 7), ear=8, kept=(SavedKept("x", 9), SavedKept("y", 10, (1, 2))))
    more = {"peers": (SavedPeer(11),), "fork_server": SavedForkServer(1, 12, 13, "0")}
    state = SavedState("0", "0", "", 3, 4, sessions=(session, SavedSession({}, "Error")), **more)
    assert state.descriptors() == set(range(3, 14))
    assert SMALL.descriptors() == {3}


@pytest.fixture
def written() -> Iterator[int]:
    """Give memory that holds a state."""
    descriptor = saving.write(SMALL)
    yield descriptor
    os.close(descriptor)


def test_memory_holds_it_and_can_be_read_again_and_again(written: int) -> None:
    assert saving.read(written) == saving.read(written) == SMALL


def test_memory_is_sealed(written: int) -> None:
    with pytest.raises(PermissionError):
        os.pwrite(written, string.ascii_letters.encode(), 0)
    with pytest.raises(PermissionError):
        os.ftruncate(written, 0)


def test_memory_is_not_inherited_by_chance(written: int) -> None:
    assert not os.get_inheritable(written)
