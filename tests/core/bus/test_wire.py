from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.bus.wire import addressed, destination, received
from descartes_core.errors import ProtocolError

names = st.text(min_size=1, max_size=200)
bodies = st.binary(min_size=1)


@given(names, bodies)
def test_what_is_addressed_arrives_there(to: str, body: bytes) -> None:
    assert destination(addressed(to, body)) == (to, body, False)
    assert destination([b"", *addressed(to, body)]) == (to, body, True)
    assert destination(addressed("", body)) == ("", body, False)
    assert destination([b"", body]) == ("", body, True)


@given(st.lists(st.binary(max_size=20), max_size=5))
def test_other_frames_are_told_as_such(frames: list[bytes]) -> None:
    for take in (destination, received):
        try:
            take(frames)
        except ProtocolError:
            continue


@pytest.mark.parametrize("frames", [[], [b"a", b"b", b"c"], [b"", b"a", b"b", b"c"], [b"\xff", b""], [b"n" * 801, b""]])
def test_what_nobody_sends_is_refused(frames: list[bytes]) -> None:
    with pytest.raises(ProtocolError):
        destination(frames)


def test_the_hub_names_who_spoke() -> None:
    assert received([b"", b"x"]) == ("", b"x")
    assert received(["kühl".encode(), b"x"]) == ("kühl", b"x")
    for frames in ([b"x"], [b"", b"", b"x"], [b"\xff", b"x"]):
        with pytest.raises(ProtocolError):
            received(frames)
