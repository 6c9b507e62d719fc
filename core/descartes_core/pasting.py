"""Text as a terminal gives it to its program when a person pastes it."""

from __future__ import annotations

import re

_BEGIN, _END = b"\x1b[200~", b"\x1b[201~"
#: Whatever is no text: it would be keys, or end the paste in its middle (bytes that are no UTF-8, too: one of them is
#: another ESC [). Line ends and tabs stay.
_NO_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_LINE_END = re.compile("\r\n?")
#: One control character, or what one key types: ESC, with a letter (Alt), or with a sequence (arrows, F1 …).
_KEY = re.compile("[\x00-\x1f\x7f]|\x1b(?:\\[(?!20[01]~)[0-9;]*[A-Za-z~]|O[A-Za-z]|[^\x00-\x1f\x7f\\[O])")


def pasted(text: str, *, bracketed: bool) -> bytes:
    """Return what is typed for a pasted text.

    Args:
        text: as it was copied; what is no text is left out.
        bracketed: whether the program has asked to be told where a paste begins and ends (mode 2004). Else lines end as
            Enter does, and it cannot tell them from typed ones.

    """
    clean = _NO_TEXT.sub("", _LINE_END.sub("\n", text))
    if bracketed:
        # Without ESC nothing in it can be the end of the paste.
        return _BEGIN + clean.encode() + _END if clean else b""
    return clean.replace("\n", "\r").encode()


def is_key(text: str) -> bool:
    """Say whether this is what one key types, and no text."""
    return _KEY.fullmatch(text) is not None
