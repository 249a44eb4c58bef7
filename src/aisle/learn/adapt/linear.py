"""Multinomial logistic regression on vectors: what every way of adapting has to beat, and the head of some.

    least over W, b of   Σ_n w_n CE(softmax(x_n W + b), t_n) + |W|² / (2 strength)

as in Cox (1958), with the bias unpunished. `strength` is chosen by
cross-validation on the training texts alone; the fits of a fold go from strong
to weak punishment, each beginning where the last one ended. Found by L-BFGS
(Liu and Nocedal 1989) of scipy, in float32: at ten thousand texts of 384
numbers and 77 labels that takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aisle.errors import InvalidRequest, TrainingFailed

Floats = NDArray[np.float32]

STRENGTHS: Final = (1.0, 3.0, 10.0, 30.0, 100.0)
"""What is tried, for vectors of length 1; the best is 3 to 30 on every set of texts that was looked at."""
FOLDS: Final = 5
_TOLERANCE: Final = 3e-4
"""Of the loss: smaller ones take thrice as long, and predict held-out texts no better."""
_ENOUGH: Final = 2000
"""Held-out texts that are enough to choose by: with ten thousand texts one fold of the five is fitted, not five."""


@dataclass(frozen=True, slots=True)
class Linear:
    """`weights` float32[dim, labels] and `bias` float32[labels]; `strength` and, if it was chosen, how well it did.

    `held` is the share of right labels in cross-validation, nan when there was none.
    """

    weights: Floats
    bias: Floats
    strength: float
    held: float = float("nan")

    def scores(self, vectors: Floats) -> Floats:
        """float32[n, labels], before the softmax, of vectors float32[n, dim]."""
        return vectors @ self.weights + self.bias

    def chances(self, vectors: Floats) -> Floats:
        """float32[n, labels], each row adds up to 1."""
        return softmax(self.scores(vectors))

    def predict(self, vectors: Floats) -> NDArray[np.int32]:
        places: NDArray[np.int32] = self.scores(vectors).argmax(1).astype(np.int32)
        return places


def fit_linear(
    vectors: Floats,
    labels: NDArray[np.int32],
    n_labels: int,
    *,
    strengths: Sequence[float] = STRENGTHS,
    weight: Floats | None = None,
    seed: int = 0,
) -> Linear:
    """Fit on vectors float32[n, dim] with labels int32[n] and, if given, weights float32[n] of the texts.

    With more than one of `strengths` the best in cross-validation is taken.
    Raises InvalidRequest for no rows, a strength that is not above 0, or numbers that are not finite.
    """
    _check(vectors, labels, strengths)
    weight = np.ones(len(vectors), np.float32) if weight is None else weight
    target = np.zeros((len(vectors), n_labels), np.float32)
    target[np.arange(len(vectors)), labels] = 1.0
    chosen, held = min(strengths), float("nan")
    if len(strengths) > 1:
        folds = list(folds_of(labels, np.random.default_rng(seed)))
        ways = sorted(strengths)
        right, fit = np.zeros(len(ways)), np.zeros(len(ways))
        tested = 0
        for learned, out in folds:
            paths = _path(vectors[learned], target[learned], weight[learned], ways)
            for number, found in enumerate(paths):
                chances = found.chances(vectors[out])
                right[number] += float((chances.argmax(1) == labels[out]).sum())
                fit[number] += float(np.log(chances[np.arange(len(out)), labels[out]] + 1e-9).sum())
            tested += len(out)
            if tested >= _ENOUGH:
                break
        if tested:
            # The share of right labels is what is wanted; the likelihood settles what differs by a text or two.
            best = max(range(len(ways)), key=lambda number: (right[number] + 0.1 * fit[number], -number))
            chosen, held = ways[best], float(right[best]) / tested
    (last,) = _path(vectors, target, weight, [chosen])
    return Linear(last.weights, last.bias, chosen, held)


def folds_of(
    labels: NDArray[np.int32], rng: np.random.Generator, n: int = FOLDS
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Rows to learn from and rows held out, `n` times; each label's texts are spread over the folds.

    A label's only text is always learned from: without it the label would not be known at all.
    """
    order = rng.permutation(len(labels))
    fold = np.zeros(len(labels), np.intp)
    start = 0
    for label in np.unique(labels):
        rows = order[labels[order] == label]
        fold[rows] = (start + np.arange(len(rows))) % n if len(rows) > 1 else -1
        start += len(rows)
    for number in range(n):
        out = np.flatnonzero(fold == number)
        if len(out) and len(out) < len(labels):
            yield np.flatnonzero(fold != number), out


def softmax(scores: Floats) -> Floats:
    """float32[n, labels]: shares of each row."""
    raised = np.exp(scores - scores.max(1, keepdims=True))
    shares: Floats = raised / raised.sum(1, keepdims=True)
    return shares


def _path(vectors: Floats, target: Floats, weight: Floats, strengths: Sequence[float]) -> Iterator[Linear]:
    """The best weights for each strength, each fit beginning with the weights of the one before.

    Solved along the main axes of the vectors, each stretched so that the loss
    bends about as much along it as along the others: some 30 steps, not 300.
    """
    from scipy.optimize import minimize

    dim, n_labels = vectors.shape[1], target.shape[1]
    centre = (weight @ vectors / max(float(weight.sum()), 1e-9)).astype(np.float32)
    inner = vectors - centre
    spread, axes = np.linalg.eigh((inner * weight[:, None]).T @ inner)
    inner = np.ascontiguousarray(inner @ axes)
    weights, bias = np.zeros((dim, n_labels)), np.zeros(n_labels)
    for strength in strengths:
        stretch = 1.0 / np.sqrt(np.maximum(spread, 0.0) / n_labels + 1.0 / strength).astype(np.float32)
        found = minimize(
            _objective(inner * stretch, target, weight, stretch * stretch / strength),
            np.concatenate([(weights / stretch[:, None]).ravel(), bias]),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": 200, "ftol": _TOLERANCE, "gtol": 1e-3},
        )
        weights, bias = found.x[: dim * n_labels].reshape(dim, n_labels) * stretch[:, None], found.x[dim * n_labels :]
        if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
            raise TrainingFailed("logistic regression gave numbers that are not finite; look for absurd vectors")
        back = (axes @ weights).astype(np.float32)
        yield Linear(back, (bias - centre @ back).astype(np.float32), strength)


def _objective(
    vectors: Floats, target: Floats, weight: Floats, punished: Floats
) -> Callable[[NDArray[np.float64]], tuple[float, NDArray[np.float64]]]:
    dim, n_labels = vectors.shape[1], target.shape[1]
    per_text, per_axis = weight[:, None], punished[:, None]

    def value(at: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        small = at.astype(np.float32)
        weights, bias = small[: dim * n_labels].reshape(dim, n_labels), small[dim * n_labels :]
        scores = vectors @ weights
        scores += bias
        scores -= scores.max(1, keepdims=True)
        chances = np.exp(scores)
        total = chances.sum(1, keepdims=True)
        loss = float(((np.log(total) - (target * scores).sum(1, keepdims=True)) * per_text).sum(dtype=np.float64))
        chances /= total
        chances -= target
        chances *= per_text  # [n, labels]: the gradient by the scores
        held = weights * per_axis
        slope = np.concatenate([(vectors.T @ chances + held).ravel(), chances.sum(0)])
        return loss + 0.5 * float((weights * held).sum(dtype=np.float64)), slope.astype(np.float64)

    return value


def _check(vectors: Floats, labels: NDArray[np.int32], strengths: Sequence[float]) -> None:
    if not len(vectors) or len(vectors) != len(labels):
        raise InvalidRequest(f"{len(vectors)} vectors with {len(labels)} labels: there must be one each", field="label")
    if not strengths or min(strengths) <= 0:
        raise InvalidRequest("a strength must be above 0; the smaller, the plainer the model", field="strength")
    if not np.isfinite(vectors).all():
        raise InvalidRequest("some vectors hold numbers that are not finite: encode the texts again", field="vectors")
