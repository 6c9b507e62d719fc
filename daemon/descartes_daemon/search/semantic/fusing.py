"""One order out of several: reciprocal ranks, and a little more for what is recent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

#: The usual constant: the first place counts for little more than the second.
_RANK = 60.0
#: What was said this moment counts for so much more than what is very old; half of that is lost within so many days.
_RECENT, _HALF_LIFE = 0.25, 7 * 86_400.0


def fused(orders: Sequence[Sequence[int]], times: Mapping[int, float], now: float) -> dict[int, float]:
    """Return what is in any of these orders with its score, the best first; 1 is the first place in all, just now."""
    scores: dict[int, float] = {}
    for order in orders:
        for place, one in enumerate(order):
            scores[one] = scores.get(one, 0.0) + (_RANK + 1) / (_RANK + 1 + place) / len(orders)
    for one in scores:
        age = max(0.0, now - times[one])
        scores[one] *= (1 + _RECENT * 0.5 ** (age / _HALF_LIFE)) / (1 + _RECENT)
    return dict(sorted(scores.items(), key=lambda item: (-item[1], -item[0])))
