from __future__ import annotations

import pytest

from descartes_cli.detach_key import DetachKey
from descartes_core.errors import InvalidParams


@pytest.mark.parametrize(
    ("typed", "parts"),
    [
        (b"\x1d", (b"", b"")),
        (b"abc\x1ddef", (b"abc", b"def")),
        (b"\x1b[93;5u", (b"", b"")),
        (b"\x1b[93;5:1u", (b"", b"")),
        (b"\x1b[93;133u", (b"", b"")),
        (b"\x1b[93:125;69uy", (b"", b"y")),
        (b"x\x1b[27;5;93~", (b"x", b"")),
        (b"\x1b[93;5:3u", None),  # the key's release
        (b"\x1b[93;6u", None),  # with Shift
        (b"\x1b[93u", None),
        (b"]", None),
        (b"", None),
    ],
)
def test_the_key_is_known_in_every_protocol(typed: bytes, parts: tuple[bytes, bytes] | None) -> None:
    assert DetachKey("ctrl-]").split(typed) == parts


def test_another_key_may_be_chosen() -> None:
    key = DetachKey("Ctrl-Q")
    assert key.name == "Ctrl-Q"
    assert key.split(b"\x11") == (b"", b"")
    assert key.split(b"\x1b[113;5u") == (b"", b"")
    assert key.split(b"\x1d") is None


@pytest.mark.parametrize("text", ["", "x", "ctrl-", "ctrl-ab", "alt-x", "ctrl-ż", "ctrl-1"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidParams):
        DetachKey(text)
