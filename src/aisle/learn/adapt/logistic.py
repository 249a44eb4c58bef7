"""Logistic regression on what a frozen encoder gives: the quickest head there is, and where longer fits begin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aisle.types import Vectors

STRENGTH: Final = 20.0
"""Weight of the examples against the length of the weights, as scikit-learn's C, for unit vectors."""


def logistic(
    vectors: Vectors,
    labels: NDArray[np.int32],
    n_classes: int,
    *,
    strength: float = STRENGTH,
    class_weight: Sequence[float] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(weight float32[c, dim], bias float32[c]) of multinomial logistic regression with an L2 penalty, by L-BFGS.

    `class_weight[c]` says how much an example of each class counts (None: all 1).
    """
    from scipy.optimize import minimize

    n, dim = vectors.shape
    each = np.ones(n_classes) if class_weight is None else np.asarray(class_weight, np.float64)
    of_row = each[labels]
    wanted = np.zeros((n, n_classes))
    wanted[np.arange(n), labels] = of_row
    inputs = vectors.astype(np.float64)

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weight, bias = flat[: n_classes * dim].reshape(n_classes, dim), flat[n_classes * dim :]
        logits = inputs @ weight.T + bias
        top = logits.max(1, keepdims=True)
        powers = np.exp(logits - top)
        total = powers.sum(1, keepdims=True)
        rest = (of_row[:, None] * (powers / total) - wanted) * strength  # [n, c]
        missed = of_row * ((np.log(total) + top)[:, 0] - logits[np.arange(n), labels])
        value = strength * float(missed.sum()) + 0.5 * float((weight * weight).sum())
        return value, np.concatenate([(rest.T @ inputs + weight).ravel(), rest.sum(0)])

    found = minimize(loss, np.zeros(n_classes * (dim + 1)), jac=True, method="L-BFGS-B", options={"maxiter": 200})
    weight = found.x[: n_classes * dim].reshape(n_classes, dim).astype(np.float32)
    return weight, found.x[n_classes * dim :].astype(np.float32)
