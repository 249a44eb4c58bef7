"""How like what a shopper has engaged with lately products are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from aisle.ports import CatalogueFacts, Shopper
from aisle.types import Ords, Scores, Vectors


def likeness(
    shopper: Shopper, ords: Ords, facts: CatalogueFacts, vectors: Callable[[Ords], Vectors] | None
) -> dict[str, Scores]:
    """float32[n] each: the share of the shopper's interest that is of a product's category and of its brand, and its
    cosine with the mean of what interests them (`vectors(ords)` float32[n, dim]; without, not)."""
    recent, weights = shopper.recent, shopper.weights / max(float(shopper.weights.sum()), 1e-9)
    columns: dict[str, Scores] = {}
    for name, codes in (("shopper_category", facts.category), ("shopper_brand", facts.brand)):
        share = np.bincount(codes[recent] + 1, weights, minlength=int(codes[ords].max(initial=-1)) + 2)
        columns[name] = np.where(codes[ords] >= 0, share[codes[ords] + 1], 0.0).astype(np.float32)
    if vectors is not None:
        taste = weights @ vectors(recent)
        length = float(np.linalg.norm(taste))
        if length > 0:
            columns["shopper_meaning"] = vectors(ords) @ (taste / length).astype(np.float32)
    return columns
