from __future__ import annotations

import pytest

from descartes_cli.detach_key import DetachKey
from descartes_core.errors import InvalidParams


@pytest.mark.parametrize(
    ("typed", "at"),
    [
        (b"\x1d", 0),
        (b"abc\x1d", 3),
        (b"\x1b[93;5u", 0),
        (b"\x1b[93;5:1u", 0),
        (b"\x1b[93;133u", 0),
        (b"\x1b[93:125;69u", 0),
        (b"x\x1b[27;5;93~", 1),
        (b"\x1b[93;5:3u", None),  # the key's release
        (b"\x1b[93;6u", None),  # with Shift
        (b"\x1b[93u", None),
        (b"]", None),
        (b"", None),
    ],
)
def test_the_key_is_known_in_every_protocol(typed: bytes, at: int | None) -> None:
    assert DetachKey("ctrl-]").find(typed) == at


def test_another_key_may_be_chosen() -> None:
    key = DetachKey("Ctrl-Q")
    assert key.name == "Ctrl-Q"
    assert key.find(b"\x11") == 0
    assert key.find(b"\x1b[113;5u") == 0
    assert key.find(b"\x1d") is None


@pytest.mark.parametrize("text", ["", "x", "ctrl-", "ctrl-ab", "alt-x", "ctrl-ż", "ctrl-1"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidParams):
        DetachKey(text)
