"""Several sources' candidates into one list: scores made comparable, summed, spread out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from aisle.ports import CatalogueFacts, Shopper
from aisle.types import Candidates, Ords, Scores

Relation: TypeAlias = Literal["", "viewed", "cart", "bought"]

SURFACES: Final[Mapping[str, Mapping[str, float]]] = {
    "home": {
        "taste": 6.0,
        "for_you": 1.0,
        "followed": 0.25,
        "kindred": 0.2,
        "trending": 0.15,
        "trending_category": 0.05,
        "newest": 1e-6,
    },
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
    "complementary": {"bought": 1.0, "complements": 0.6, "viewed": 0.05, "trending": 1e-4, "newest": 1e-6},
    "cart": {
        "bought": 1.0,
        "complements": 0.6,
        "viewed": 0.3,
        "for_you": 0.2,
        "similar": 1e-2,
        "trending": 1e-4,
        "newest": 1e-6,
    },
    "after_purchase": {"bought": 1.0, "complements": 0.8, "for_you": 0.1, "trending": 1e-4, "newest": 1e-6},
    "buy_again": {"buy_again": 1.0},
    "rescue": {"near_query": 1.0, "for_you": 0.3, "trending_category": 1e-2, "trending": 1e-4, "newest": 1e-6},
    "new_for_you": {"new_for_you": 1.0, "newest": 1e-6},
    "followed": {"followed": 1.0},
    "group": {"in_group": 1.0},
}
"""Weights of the sources by surface. Scores of a source end at 1, so a weight a hundred times
smaller is a fallback: it decides only among what the sources before it leave open."""

SPREAD: Final = {
    "home": 0.95,
    "trending": 0.85,
    "complementary": 0.85,
    "after_purchase": 0.85,
    "new_for_you": 0.85,
    "followed": 0.85,
    "cart": 0.9,
    "together": 0.95,
    "viewed": 0.95,
    "similar": 1.0,
}
"""Factor on a score for each product of the same category already chosen."""

BRAND_SPREAD: Final = 0.95
POOL: Final = 8
"""Candidates looked at while spreading, as a multiple of the places."""


OTHER_KIND: Final = frozenset({"complementary", "cart", "after_purchase"})
"""Surfaces that complement the seeds: nothing of their own category while there is anything else."""

NOT_AGAIN: Final = frozenset({"home", "cart", "complementary", "after_purchase", "new_for_you", "followed", "group"})
"""Surfaces that leave out what the shopper has bought, unless it is of a kind that comes back."""

FOLLOWED: Final = 1.3
"""Factor on the score of what is of a followed brand or category."""

SET_ASIDE_KIND, SET_ASIDE_BRAND, SET_ASIDE_BOTH = 0.75, 0.85, 0.3
"""Factors on what is of the category, of the brand, and of both, of a product turned away in this session."""

CHEAP: Final = 1.0
"""An add-on as dear as the dearest thing in the cart counts 1 / (1 + CHEAP) of one that costs nothing."""

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

    def take(self, rows: NDArray[np.int64]) -> Mixed:
        """Those of the list, in that order."""
        chosen = rows.tolist()
        return Mixed(
            self.ords[rows],
            self.scores[rows],
            tuple(self.sources[row] for row in chosen),
            self.because[rows],
            tuple(self.relations[row] for row in chosen),
            {name: [values[row] for row in chosen] for name, values in self.features.items()},
        )

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
    due: Ords | None = None,
) -> Mixed:
    """Rank what the sources propose, each with its weight.

    Leaves out the seeds, what is gone or sold out, what the shopper dislikes or
    has in the cart and, on the surfaces of `NOT_AGAIN`, what they bought, unless
    it is `due` again (int32[n]): coffee that is used up, never a tent.
    What was turned away in this session makes its category and brand count
    less, what is followed counts more, whatever the sources say.
    """
    used = [(c, w) for c, w in proposals if len(c) and w > 0]
    ords = np.unique(np.concatenate([c.ords for c, _ in used])) if used else np.empty(0, np.int32)
    ords = _allowed(ords, shopper, seeds, facts, surface, due, in_stock_only=in_stock_only)
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
    shares *= _wish(ords, shopper, facts)
    if surface == "cart":
        shares *= _cheap(ords, seeds if len(seeds) else shopper.cart, facts)
    scores = shares.sum(axis=0)
    chosen = _spread(ords, scores, facts, top_k, SPREAD.get(surface, 1.0))
    in_cart = np.concatenate([shopper.cart, seeds]) if surface == "cart" else shopper.cart
    return _explain(used, ords[chosen], scores[chosen], shares[:, chosen], because[:, chosen], shopper, in_cart)


def _allowed(
    ords: Ords,
    shopper: Shopper,
    seeds: Ords,
    facts: CatalogueFacts,
    surface: str,
    due: Ords | None,
    *,
    in_stock_only: bool,
) -> Ords:
    n = len(facts.alive)
    ords = ords[(ords >= 0) & (ords < n)]
    kept = facts.alive[ords]
    if in_stock_only:
        kept = kept & facts.in_stock[ords]
    bought = shopper.purchased
    if due is not None and len(bought):
        bought = bought[~np.isin(bought, due)]
    unwanted = [seeds, shopper.disliked, shopper.cart, *([bought] if surface in NOT_AGAIN else [])]
    known = np.zeros(n, bool)  # a table is several times as fast as a search in sorted numbers
    for some in unwanted:
        known[some[(some >= 0) & (some < n)]] = True
    kept = kept & ~known[ords]
    found: Ords = ords[kept].astype(np.int32)
    if surface in OTHER_KIND:
        about = next((o for o in (seeds, shopper.cart, shopper.purchased[:3]) if len(o)), seeds)
        kinds = facts.category[about[about < n]]
        other = ~np.isin(facts.category[found], kinds[kinds >= 0])
        found = found[other] if other.any() else found
    return found


def _wish(ords: Ords, shopper: Shopper, facts: CatalogueFacts) -> NDArray[np.float64]:
    """float64[n]: how what was followed and turned away moves each score."""
    factor = np.ones(len(ords))
    if len(shopper.set_aside):
        aside = shopper.set_aside[shopper.set_aside < len(facts.category)]
        same_kind, same_brand = (
            (codes[ords] >= 0) & np.isin(codes[ords], codes[aside]) for codes in (facts.category, facts.brand)
        )
        factor[same_kind] *= SET_ASIDE_KIND
        factor[same_brand] *= SET_ASIDE_BRAND
        factor[same_kind & same_brand] = SET_ASIDE_BOTH
    if shopper.follows:
        brands = {name for kind, name in shopper.follows if kind == "brand"}
        paths = tuple(name for kind, name in shopper.follows if kind == "product_type")
        codes = [code for code, name in enumerate(facts.brands) if name in brands]
        kinds = [i for i, path in enumerate(facts.categories) if any(f"{path} >".startswith(f"{p} >") for p in paths)]
        factor[np.isin(facts.brand[ords], codes) | np.isin(facts.category[ords], kinds)] *= FOLLOWED
    return factor


def _cheap(ords: Ords, cart: Ords, facts: CatalogueFacts) -> NDArray[np.float64]:
    """float64[n]: what is cheap beside the cart is added without a second thought."""
    paid = facts.price[cart[cart < len(facts.price)]].astype(np.float64)
    dearest = float(np.nanmax(paid)) if len(paid) and np.isfinite(paid).any() else 0.0
    if dearest <= 0:
        return np.ones(len(ords))
    price = np.nan_to_num(facts.price[ords].astype(np.float64), nan=dearest)
    return 1 / (1 + CHEAP * price / dearest)


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
    # What led here, as the first source says that tells and knows it: a model of taste knows no single product.
    led = np.take_along_axis(because, order, 0)
    tells = (led >= 0) & (np.take_along_axis(shares, order, 0) > TELLING * scores)
    leading = np.where(tells.any(axis=0), led[tells.argmax(axis=0), np.arange(len(ords))], -1).astype(np.int32)
    bought, cart = set(shopper.purchased.tolist()), set(in_cart.tolist())
    recent = set(shopper.recent.tolist())
    relations: tuple[Relation, ...] = tuple(
        "cart" if o in cart else "bought" if o in bought else "viewed" if o in recent else "" for o in leading.tolist()
    )
    features = {f"source_{name}": shares[row].tolist() for row, name in enumerate(names)}
    return Mixed(ords, scores.astype(np.float32), sources, leading, relations, features)
