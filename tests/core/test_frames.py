from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.errors import ProtocolError
from descartes_core.frames import FrameReader, bytes_frame, json_frame

_FRAME = st.one_of(st.binary(), st.integers().map(lambda number: {"type": "offset", "offset": number}))


@given(frames=st.lists(_FRAME), size=st.integers(min_value=1, max_value=50))
def test_frames_arrive_whole_however_they_are_cut(frames: list[bytes | dict[str, Any]], size: int) -> None:
    wire = b"".join(bytes_frame(frame) if isinstance(frame, bytes) else json_frame(frame) for frame in frames)
    reader, arrived = FrameReader(), []
    for at in range(0, len(wire), size):
        arrived += reader.feed(wire[at : at + size])
    assert arrived == frames


@pytest.mark.parametrize(
    "wire",
    [
        b"X\0\0\0\1x",
        b"B\xff\xff\xff\xff",
        b"J\0\0\0\1x",
        b"J\0\0\0\2[]",
        b"J\0\0\0\2{}",
        b'J\0\0\0\x0a{"type":1}',
        b"J\0\0\xff\xff" + b"[" * 65535,
    ],
)
def test_what_is_no_frame_is_refused(wire: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(FrameReader().feed(wire))


def test_what_is_held_of_a_frame_is_known() -> None:
    reader = FrameReader()
    assert list(reader.feed(bytes_frame(b"abc") + bytes_frame(b"defg")[:-1])) == [b"abc"]
    assert len(reader) == 8
    assert list(reader.feed(b"g")) == [b"defg"]
    assert len(reader) == 0
