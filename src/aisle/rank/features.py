"""All that ranking may know of a candidate for a search, as named columns.

The same function makes them while serving and while training, and those of
what was shown are logged with the slate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from aisle.rank.matching import MATCH_FEATURES, AskedWords, Codes, match_features
from aisle.types import NOTHING, Scores

SHOPPER_FEATURES: Final = ("shopper_category", "shopper_brand", "shopper_meaning")
PRODUCT_FEATURES: Final = (
    "price", "price_place", "in_stock", "on_offer_days", "rating", "n_reviews", "popular", "clicked",
)  # fmt: skip
RETRIEVAL_FEATURES: Final = (
    "bm25_share", "bm25", "bm25_place", "cosine", "cosine_place", "cosine_gap", "matched", "blend", "category",
    "n_words", "query_rarity", "bm25_best", "cosine_best",
)  # fmt: skip
FEATURES: Final = (*RETRIEVAL_FEATURES, *MATCH_FEATURES, *PRODUCT_FEATURES, *SHOPPER_FEATURES)
"""Every feature, in the order of a matrix of them."""


@dataclass(frozen=True, slots=True)
class Named:
    """What names the candidates: `title` int32[c, w], `names` int32[c, v] as numbered words."""

    title: Codes
    names: Codes
    is_number: np.ndarray


@dataclass(frozen=True, slots=True)
class Looks:
    """The candidates of one search, all float32[c] and aligned, with what retrieval says of each.

    `product` and `shopper` hold those of PRODUCT_FEATURES and SHOPPER_FEATURES
    that are known; what is missing counts as 0.
    """

    bm25: Scores
    cosine: Scores
    matched: np.ndarray
    blend: Scores
    category: Scores
    asked: AskedWords
    named: Named
    product: Mapping[str, Scores] = field(default_factory=lambda: NOTHING)
    shopper: Mapping[str, Scores] = field(default_factory=lambda: NOTHING)


def feature_columns(looks: Looks) -> dict[str, Scores]:
    """FEATURES, float32[c] each; finite whatever comes in."""
    c = len(looks.bm25)
    best = float(looks.bm25.max(initial=0.0))
    nearest = float(looks.cosine.max(initial=0.0))
    one = np.ones(c, np.float32)
    columns: dict[str, Scores] = {
        "bm25_share": looks.bm25 / best if best > 0 else np.zeros(c, np.float32),
        "bm25": looks.bm25,
        "bm25_place": _places(looks.bm25),
        "cosine": looks.cosine,
        "cosine_place": _places(looks.cosine),
        "cosine_gap": nearest - looks.cosine,
        "matched": looks.matched.astype(np.float32),
        "blend": looks.blend,
        "category": looks.category,
        "n_words": one * looks.asked.n,
        "query_rarity": one * float(looks.asked.rarity.sum()),
        "bm25_best": one * best,
        "cosine_best": one * nearest,
        **match_features(looks.asked, looks.named.title, looks.named.names, looks.named.is_number),
    }
    missing = np.zeros(c, np.float32)
    for name in PRODUCT_FEATURES:
        columns[name] = looks.product.get(name, missing)
    for name in SHOPPER_FEATURES:
        columns[name] = looks.shopper.get(name, missing)
    together = np.empty((len(FEATURES), c), np.float32)
    for row, name in zip(together, FEATURES, strict=True):
        row[:] = columns[name]
    if not np.isfinite(together).all():
        np.nan_to_num(together, copy=False, nan=0.0)
    return dict(zip(FEATURES, together, strict=True))


def matrix_of(columns: Mapping[str, Scores], names: tuple[str, ...]) -> np.ndarray:
    """float32[c, len(names)]: those columns, in that order; a name that is not known is 0."""
    c = len(next(iter(columns.values())))
    out = np.zeros((c, len(names)), np.float32)
    for at, name in enumerate(names):
        if name in columns:
            out[:, at] = columns[name]
    return out


def _places(values: Scores) -> Scores:
    """float32[c]: how many candidates have more."""
    places = np.empty(len(values), np.float32)
    places[np.argsort(-values, kind="stable")] = np.arange(len(values), dtype=np.float32)
    return places
