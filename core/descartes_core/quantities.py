"""Amounts of memory and of time, as people write them: 2G, 1.5h."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

_KIBI = 1024
#: What stands behind a number of bytes; `iB` and `B` may follow it.
_BYTES: Mapping[str, int] = {"": 1, "K": _KIBI, "M": _KIBI**2, "G": _KIBI**3, "T": _KIBI**4}
_SECONDS: Mapping[str, float] = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
#: From the largest on.
_LARGEST_BYTES: Sequence[tuple[str, int]] = tuple(reversed([(unit, size) for unit, size in _BYTES.items() if unit]))
_LARGEST_SECONDS = (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1))
_NUMBER = r"([0-9]{1,18}(?:\.[0-9]{1,9})?)"
_AMOUNT = re.compile(rf"{_NUMBER} ?([KMGT]?)(?:i?B)?", re.IGNORECASE | re.ASCII)
_TIME = re.compile(rf"{_NUMBER} ?([smhd]?)", re.ASCII)
_TIMES = re.compile(r"(?:[0-9]{1,18}[dhms])+", re.ASCII)
_PART = re.compile(r"([0-9]+)([dhms])", re.ASCII)


def read_bytes(text: str) -> int:
    """Return the number of bytes that is meant: 512M, 2G, 1.5GiB, 1048576.

    Raises:
        ValueError: it is no amount.

    """
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no amount of memory: write 512M, 2G or a number of bytes")
    number, unit = found.groups()
    return round(float(number) * _BYTES[unit.upper()]) if "." in number else int(number) * _BYTES[unit.upper()]


def read_seconds(text: str) -> float:
    """Return the number of seconds that is meant: 90, 90s, 1.5h, 2d, 1h30m.

    Raises:
        ValueError: it is no time.

    """
    plain = text.strip()
    if (found := _TIME.fullmatch(plain)) is not None:
        number, unit = found.groups()
        return float(number) * _SECONDS[unit]
    units = [unit for _, unit in _PART.findall(plain)]
    order = [unit for unit, _ in _LARGEST_SECONDS if unit in units]
    # Each unit once, the largest first: anything else is a slip.
    if _TIMES.fullmatch(plain) is None or units != order:
        raise ValueError(f"{text!r} is no time: write 90s, 30m, 2h or 1h30m")
    return math.fsum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(plain))


def brief_bytes(count: int) -> str:
    """Return an amount in its largest unit: 2G, 1.5M; what is not whole has one digit more."""
    for unit, size in _LARGEST_BYTES:
        if count >= size:
            return f"{_short(count / size)}{unit}"
    return str(count)


def brief_seconds(seconds: float) -> str:
    """Return a time in its two largest units: 2h, 1h30m, 0.5s."""
    whole = round(seconds)
    if seconds < 60 and seconds != whole:
        return f"{seconds:.2f}".rstrip("0").rstrip(".") + "s"
    parts = []
    for unit, size in _LARGEST_SECONDS:
        count, whole = divmod(whole, size)
        parts.append((count, unit))
    told = [(count, unit) for count, unit in parts if count][:2]
    return "".join(f"{count}{unit}" for count, unit in told) or "0s"


def _short(number: float) -> str:
    return f"{number:.0f}" if number == round(number) else f"{number:.1f}"
