"""Showing now and then what would not have been shown, and writing down how likely that was.

What is always shown is all that is ever learned about. A few of the last places
of a page therefore go, by lot, to what came next; the lot's odds are logged with
the slate, so that what such places bring can be weighed (inverse propensity,
Horvitz and Thompson 1952).
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

EXPLORED: Final = frozenset({"home"})
"""Surfaces that explore: a page about a product, or in a cart, promises what it says."""

FROM: Final = 2 / 3
"""Places before this part of the page are never given away."""

POOL: Final = 4
"""Products that share the odds of one place."""

HOUR_MS: Final = 3_600_000


def n_wanted(top_k: int, surface: str, share: float) -> int:
    """How many ranked products `explore` needs to fill `top_k` places."""
    return top_k + POOL * _n_open(top_k) if share > 0 and surface in EXPLORED else top_k


def explore(
    n_ranked: int, top_k: int, share: float, visitor_id: str, time_ms: int
) -> tuple[NDArray[np.int64], tuple[float, ...]]:
    """Which of `n_ranked` products, best first, fill `top_k` places, and the probability with which each came there.

    Each of the last third of the places goes with probability `share` to one of
    a few products of its own among those ranked after the page. The lot is
    drawn anew every hour and is the same within it, so that a page read again
    is the page that was read.
    """
    places = np.arange(min(top_k, n_ranked))
    odds = [1.0] * len(places)
    n_open = _n_open(top_k)
    spare = n_ranked - top_k
    if share <= 0 or spare <= 0 or not visitor_id:
        return places, tuple(odds)
    for number, place in enumerate(range(top_k - n_open, top_k)):
        pool = np.arange(top_k + number, n_ranked, n_open)[:POOL]  # no product has two places to come to
        if not len(pool):
            continue
        odds[place] = 1 - share
        drawn = _lot(f"{visitor_id}|{time_ms // HOUR_MS}|{place}")
        if drawn < share:
            places[place] = pool[min(int(drawn / share * len(pool)), len(pool) - 1)]
            odds[place] = share / len(pool)
    return places, tuple(odds)


def _n_open(top_k: int) -> int:
    return top_k - round(FROM * top_k)


def _lot(text: str) -> float:
    """A number in [0, 1) that the text decides."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()) / 2**64
