"""Words as the index has them.

They are letters and digits in lower case, without accents; each sign of Chinese or Japanese is a word.
"""

from __future__ import annotations

import re
import unicodedata

#: What the ASCII tokenizer of FTS5 would take for letters: everything that is not ASCII.
_SIGNS = re.compile(r"[^\x00-\x7f\w]+")
_ACCENTS = re.compile(r"[\u0300-\u036f]+")
_EACH_A_WORD = re.compile(r"([\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])")
_WORD = re.compile(r"[0-9A-Za-z\x80-\U0010ffff]+")
#: What has only ASCII is told apart three times as fast.
_ASCII = "".join(chr(sign).lower() if chr(sign).isalnum() else " " for sign in range(128))
#: Begins the words that say whose a passage is; no text has it (private use).
MARK = "\ue000"


def indexed(text: str) -> str:
    """Return a text as it is given to the index, whose tokenizer knows ASCII only."""
    if text.isascii():
        return text
    text = _SIGNS.sub(" ", text)
    if text.isascii():
        return text
    text = _ACCENTS.sub("", unicodedata.normalize("NFKD", text.casefold()))
    # What came apart may be a sign by itself.
    return _EACH_A_WORD.sub(r" \1 ", _SIGNS.sub(" ", text))


def words(text: str) -> list[str]:
    """Return the words of a text, in order."""
    if text.isascii():
        return text.translate(_ASCII).split()
    given = indexed(text)
    return _WORD.findall(given.lower() if given.isascii() else given)  # else it is in lower case already


def mark(kind: str, value: str) -> str:
    """Return one word that no text has."""
    return MARK + kind + value.encode("utf-8", "surrogatepass").hex()
