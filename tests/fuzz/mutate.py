"""Make inputs that are nearly right out of ones that are."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

#: No input grows beyond this: what is large is tried elsewhere, on purpose.
LARGEST = 65_536
_NUMBERS = (b"0", b"-0", b"-1", b"255", b"65536", b"2147483648", b"9223372036854775808", b"1e999", b"0.1", b"NaN")
_BYTES = (0x00, 0x0A, 0x0D, 0x1B, 0x22, 0x5C, 0x7F, 0x80, 0xC0, 0xED, 0xFF)


def mutated(random_: random.Random, pool: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """Return a new input, some steps away from one of the pool."""
    data = bytearray(random_.choice(pool))
    for _ in range(1 << random_.randrange(4)):
        random_.choice(_STEPS)(random_, data, pool, words)
        del data[LARGEST:]
    return bytes(data)


_Step = Callable[[random.Random, bytearray, Sequence[bytes], Sequence[bytes]], None]


def _slice(random_: random.Random, data: bytearray) -> slice:
    start = random_.randrange(len(data) + 1)
    return slice(start, min(len(data), start + random_.choice((1, 1, 2, 4, 16, 256))))


def _flip(random_: random.Random, data: bytearray, *_: Sequence[bytes]) -> None:
    if data:
        data[random_.randrange(len(data))] ^= 1 << random_.randrange(8)


def _put_byte(random_: random.Random, data: bytearray, *_: Sequence[bytes]) -> None:
    if data:
        data[random_.randrange(len(data))] = random_.choice(_BYTES)


def _cut(random_: random.Random, data: bytearray, *_: Sequence[bytes]) -> None:
    del data[_slice(random_, data)]


def _end_early(random_: random.Random, data: bytearray, *_: Sequence[bytes]) -> None:
    del data[random_.randrange(len(data) + 1) :]


def _repeat(random_: random.Random, data: bytearray, *_: Sequence[bytes]) -> None:
    part = bytes(data[_slice(random_, data)])
    start = random_.randrange(len(data) + 1)
    data[start:start] = part * random_.choice((1, 2, 3, 20, 300))


def _put_word(random_: random.Random, data: bytearray, _pool: Sequence[bytes], words: Sequence[bytes]) -> None:
    start = random_.randrange(len(data) + 1)
    data[start:start] = random_.choice((*words, *_NUMBERS))


def _replace_by_word(random_: random.Random, data: bytearray, _pool: Sequence[bytes], words: Sequence[bytes]) -> None:
    data[_slice(random_, data)] = random_.choice((*words, *_NUMBERS))


def _splice(random_: random.Random, data: bytearray, pool: Sequence[bytes], _words: Sequence[bytes]) -> None:
    other = bytearray(random_.choice(pool))
    data[_slice(random_, data)] = other[_slice(random_, other)]


def _put_value(random_: random.Random, data: bytearray, *_: Sequence[bytes]) -> None:
    """Put another value somewhere into JSON, or leave one out, so that it is JSON still."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return
    inside: Any = value
    while isinstance(inside, dict | list) and inside:
        key: Any = random_.choice(list(inside)) if isinstance(inside, dict) else random_.randrange(len(inside))
        if isinstance(inside[key], dict | list) and inside[key] and random_.random() < 0.7:
            inside = inside[key]
        elif random_.random() < 0.2:
            del inside[key]
            break
        else:
            inside[key] = random_.choice(_VALUES)
            break
    data[:] = json.dumps(value).encode()


_VALUES = (None, True, 0, -1, 1.5, 2**70, 1e308, "", "x", "\0", "\ud800", "/a\0b", [], [None], {}, {"a": []}, [[[[]]]])

_STEPS: tuple[_Step, ...] = (
    *(_flip, _put_byte, _cut, _end_early, _repeat),
    *(_put_word, _put_word, _replace_by_word, _replace_by_word, _splice, _put_value, _put_value),
)
