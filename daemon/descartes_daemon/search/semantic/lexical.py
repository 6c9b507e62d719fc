"""Vectors without a model: words and their pieces, hashed; they know no meaning."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from zlib import crc32

import numpy

from descartes_daemon.search.words import words

SIZE = 384
#: Of the words of all output a small part is most of it.
_REMEMBERED = 20_000
#: A word counts for itself; for its beginnings, which inflected words share; and for all its trigrams together.
_BEGINNINGS, _BEGINNING, _PIECES = (4, 6), 0.8, 0.8
#: Numbers and words that are everywhere tell less.
_LITTLE = 0.25
_EVERYWHERE = frozenset(
    words("""a all an and any are as at be been but by can did do does each for from had has have how if in into is it
    its no not of off on or our out so than that the their them then there these they this to too up us was we were what
    when where which while who why will with you your""")
)
_LONGEST_WORD = 40
#: Words of a text beyond this add little but time.
_MOST_WORDS = 2000


class LexicalEmbedder:
    """Hashed words and character trigrams: finds inflected, joined and misspelt words; knows no meaning."""

    name = f"lexical-{SIZE}-1"
    at_once = 64

    def embed(self, texts: Sequence[str]) -> Any:
        """Return a row for each text; of one without words nothing but zeros."""
        rows = numpy.zeros((len(texts), SIZE), numpy.float32)
        for row, text in zip(rows, texts, strict=True):
            self._add(row, text)
        lengths = numpy.linalg.norm(rows, axis=1, keepdims=True)
        return rows / numpy.where(lengths == 0, 1, lengths)

    def _add(self, row: Any, text: str) -> None:
        counted = Counter(words(text)[:_MOST_WORDS])
        if not counted:
            return
        parts = [_features(word) for word in counted]
        weights = [1.0 + math.log(count) for count in counted.values()]
        places = numpy.concatenate([part[0] for part in parts])
        values = numpy.concatenate([part[1] * weight for part, weight in zip(parts, weights, strict=True)])
        row += numpy.bincount(places, weights=values, minlength=SIZE)


@lru_cache(maxsize=_REMEMBERED)
def _features(word: str) -> tuple[Any, Any]:
    """Return where a word is in a vector, and with which values."""
    word = word[:_LONGEST_WORD]
    is_little = word in _EVERYWHERE or len(word) < 2 or sum(map(str.isdigit, word)) * 2 > len(word)
    weight = _LITTLE if is_little else 1.0
    edged = f"^{word}$"
    pieces = [edged[at : at + 3] for at in range(len(edged) - 2)]
    share = _PIECES / math.sqrt(len(pieces))
    features = [(word, 1.0), *((piece, share) for piece in pieces)]
    features += [(f"^{word[:length]}", _BEGINNING) for length in _BEGINNINGS if len(word) >= length]
    hashes = [crc32(text.encode()) for text, _ in features]
    places = numpy.array([one % SIZE for one in hashes], numpy.int64)
    # The sign is of another part of the hash: what falls on the same place by chance cancels out on average.
    values = numpy.array([value if one >> 31 else -value for (_, value), one in zip(features, hashes, strict=True)])
    return places, (values * weight).astype(numpy.float32)
