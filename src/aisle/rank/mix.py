"""Several sources' candidates into one list: scores made comparable, summed, spread out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np

from aisle.ports import CatalogueFacts, Shopper
from aisle.types import Candidates, Ords, Scores

Relation: TypeAlias = Literal["", "viewed", "cart", "bought"]

SURFACES: Final[Mapping[str, Mapping[str, float]]] = {
    "home": {"for_you": 1.0, "trending": 0.15, "trending_category": 0.05, "newest": 1e-6},
    "similar": {"similar": 1.0, "viewed": 0.3, "trending_category": 1e-2, "trending": 1e-4, "newest": 1e-6},
    "together": {
        "bought": 1.0,
        "viewed": 0.2,
        "similar": 1e-2,
        "trending_category": 1e-3,
        "trending": 1e-4,
        "newest": 1e-6,
    },
    "viewed": {"viewed": 1.0, "similar": 0.1, "trending_category": 1e-2, "trending": 1e-4, "newest": 1e-6},
    "trending": {"trending_category": 1.0, "trending": 1e-3, "newest": 1e-6},
    "cart": {"bought": 1.0, "viewed": 0.3, "for_you": 0.2, "similar": 1e-2, "trending": 1e-4, "newest": 1e-6},
}
"""Weights of the sources by surface. Scores of a source end at 1, so a weight a hundred times
smaller is a fallback: it decides only among what the sources before it leave open."""

SPREAD: Final = {"home": 0.85, "trending": 0.85, "cart": 0.9, "together": 0.95, "viewed": 0.95, "similar": 1.0}
"""Factor on a score for each product of the same category already chosen."""

BRAND_SPREAD: Final = 0.95
POOL: Final = 8
"""Candidates looked at while spreading, as a multiple of the places."""


TELLING: Final = 0.05
"""Least share of a score for a source to be named: a fallback that merely agrees is no reason."""


@dataclass(frozen=True, slots=True)
class Mixed:
    """A ranked list and how it came about; all aligned, best first.

    `sources` that tell for each, the largest share first; `because` int32[n] is the ord
    that led to each (-1: none) and `relations` what the shopper had done with
    it; `features` are the weighted shares by source and the score they sum to.
    """

    ords: Ords
    scores: Scores
    sources: tuple[tuple[str, ...], ...]
    because: Ords
    relations: tuple[Relation, ...]
    features: Mapping[str, list[float]]

    def __len__(self) -> int:
        return len(self.ords)


def mix(
    proposals: Sequence[tuple[Candidates, float]],
    *,
    shopper: Shopper,
    seeds: Ords,
    facts: CatalogueFacts,
    top_k: int,
    surface: str = "home",
    in_stock_only: bool = True,
) -> Mixed:
    """Rank what the sources propose, each with its weight.

    Leaves out the seeds, what is gone or sold out, what the shopper dislikes or
    has in the cart and, on the home page, what they bought.
    """
    used = [(c, w) for c, w in proposals if len(c) and w > 0]
    ords = np.unique(np.concatenate([c.ords for c, _ in used])) if used else np.empty(0, np.int32)
    ords = _allowed(ords, shopper, seeds, facts, home=surface == "home", in_stock_only=in_stock_only)
    if not len(ords):
        return Mixed(ords, np.empty(0, np.float32), (), ords, (), {})
    shares = np.zeros((len(used), len(ords)), np.float64)
    because = np.full((len(used), len(ords)), -1, np.int32)
    for row, (candidates, weight) in enumerate(used):
        at = np.searchsorted(ords, candidates.ords)
        at[at == len(ords)] = 0
        here = ords[at] == candidates.ords
        top = float(candidates.scores.max())
        shares[row, at[here]] = weight * candidates.scores[here] / (top if top > 0 else 1.0)
        if candidates.because is not None:
            because[row, at[here]] = candidates.because[here]
    scores = shares.sum(axis=0)
    chosen = _spread(ords, scores, facts, top_k, SPREAD.get(surface, 1.0))
    in_cart = np.concatenate([shopper.cart, seeds]) if surface == "cart" else shopper.cart
    return _explain(used, ords[chosen], scores[chosen], shares[:, chosen], because[:, chosen], shopper, in_cart)


def _allowed(
    ords: Ords, shopper: Shopper, seeds: Ords, facts: CatalogueFacts, *, home: bool, in_stock_only: bool
) -> Ords:
    ords = ords[(ords >= 0) & (ords < len(facts.alive))]
    kept = facts.alive[ords]
    if in_stock_only:
        kept = kept & facts.in_stock[ords]
    unwanted = [seeds, shopper.disliked, shopper.cart, *([shopper.purchased] if home else [])]
    known = np.concatenate(unwanted)
    if len(known):
        kept &= ~np.isin(ords, known)
    found: Ords = ords[kept].astype(np.int32)
    return found


def _spread(ords: Ords, scores: Scores, facts: CatalogueFacts, top_k: int, factor: float) -> np.ndarray:
    """Places of the chosen, in order: greedily the best score after what its likes take off it.

    A light form of maximal marginal relevance (Carbonell and Goldstein 1998)
    in which "alike" is the same category or brand, which costs no vectors.
    """
    best: np.ndarray = np.argsort(-scores, kind="stable")[: top_k * POOL]
    if factor >= 1:
        return best[:top_k]
    left = scores[best].astype(np.float64)
    categories, brands = facts.category[ords[best]], facts.brand[ords[best]]
    chosen = []
    for _ in range(min(top_k, len(best))):
        at = int(left.argmax())
        chosen.append(at)
        if categories[at] >= 0:
            left[categories == categories[at]] *= factor
        if brands[at] >= 0:
            left[brands == brands[at]] *= BRAND_SPREAD
        left[chosen] = -1.0
    return best[chosen]


def _explain(
    used: Sequence[tuple[Candidates, float]],
    ords: Ords,
    scores: Scores,
    shares: np.ndarray,
    because: np.ndarray,
    shopper: Shopper,
    in_cart: Ords,
) -> Mixed:
    names = [candidates.source for candidates, _ in used]
    order = np.argsort(-shares, axis=0, kind="stable")
    sources = tuple(
        tuple(names[row] for row in column if shares[row, place] > TELLING * scores[place])
        for place, column in enumerate(order.T.tolist())
    )
    leading = because[order[0], np.arange(len(ords))]
    bought, cart = set(shopper.purchased.tolist()), set(in_cart.tolist())
    recent = set(shopper.recent.tolist())
    relations: tuple[Relation, ...] = tuple(
        "cart" if o in cart else "bought" if o in bought else "viewed" if o in recent else "" for o in leading.tolist()
    )
    features = {f"source_{name}": shares[row].tolist() for row, name in enumerate(names)}
    return Mixed(ords, scores.astype(np.float32), sources, leading, relations, features)
