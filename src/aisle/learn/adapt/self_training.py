"""Texts without labels teach, too: those of which the model is sure are given the label it sees (Yarowsky 1995).

How sure is sure enough is chosen by cross-validation on the labelled texts: in
each fold a model of the others labels the unlabelled texts, learns from the
surest share of them as well, and is asked for the texts held out. The share
that got the most right is taken, but only if it wins more held-out texts than
it loses by more than chance would (one standard deviation of a sign test);
otherwise the model of the labelled texts alone is what comes back.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aisle.learn.adapt.linear import STRENGTHS, Floats, Linear, fit_linear, folds_of

log = logging.getLogger("aisle.learn")

SHARES: Final = (0.25, 0.5, 0.75, 1.0)
"""Of the unlabelled texts, the surest first: what is tried."""
_WEIGHT: Final = 0.3
"""How much a text with a guessed label counts beside one with a given label."""
_FOLDS: Final = 3
_MOST: Final = 4000
"""Unlabelled texts that are learned from, drawn at random from more: what more of them add, the time takes away."""


@dataclass(frozen=True, slots=True)
class SelfTrained:
    """`head` is what to use. `n_taken` of `n_unlabelled` texts taught it, those with a chance of `confidence` or more.

    `before` and `after` are the shares of held-out texts that were right without and with the best share of
    unlabelled ones, nan where there was nothing to choose by. `n_taken` is 0 when they did not help.
    """

    head: Linear
    n_unlabelled: int
    n_taken: int
    confidence: float
    before: float
    after: float

    def __str__(self) -> str:
        if not self.n_taken:
            return f"no unlabelled text of {self.n_unlabelled} is learned from: none helped the texts held out"
        return (
            f"{self.n_taken} of {self.n_unlabelled} unlabelled texts are learned from, those at {self.confidence:.2f} "
            f"or surer: {self.after:.1%} of the texts held out are right, {self.before:.1%} without"
        )


def fit_self_training(
    vectors: Floats,
    labels: NDArray[np.int32],
    n_labels: int,
    unlabelled: Floats,
    *,
    base: Linear | None = None,
    seed: int = 0,
) -> SelfTrained:
    """Fit on vectors float32[n, dim] with labels int32[n] and vectors float32[m, dim] without.

    `base` is the model of the labelled texts alone, where there is one already.
    """
    base = base or fit_linear(vectors, labels, n_labels, strengths=STRENGTHS, seed=seed)
    rng = np.random.default_rng(seed)
    if len(unlabelled) > _MOST:
        unlabelled = unlabelled[np.sort(rng.permutation(len(unlabelled))[:_MOST])]
    nothing = SelfTrained(base, len(unlabelled), 0, float("nan"), float("nan"), float("nan"))
    if not len(unlabelled):
        return nothing
    alone: list[NDArray[np.bool_]] = []
    with_more: list[list[NDArray[np.bool_]]] = [[] for _ in SHARES]
    for learned, held in islice(folds_of(labels, rng, _FOLDS), _FOLDS):
        known = fit_linear(vectors[learned], labels[learned], n_labels, strengths=(base.strength,))
        alone.append(known.predict(vectors[held]) == labels[held])
        for share, right in zip(SHARES, with_more, strict=True):
            more, _ = taught(known, vectors[learned], labels[learned], unlabelled, share)
            right.append(more.predict(vectors[held]) == labels[held])
    if not alone:
        return nothing
    before = np.concatenate(alone)
    after = [np.concatenate(right) for right in with_more]
    best = max(range(len(SHARES)), key=lambda number: (int(after[number].sum()), -number))
    won, lost = int((after[best] & ~before).sum()), int((before & ~after[best]).sum())
    happened = float(before.mean()), float(after[best].mean())
    if won - lost <= np.sqrt(won + lost):
        log.info("self-training: %d held-out texts won, %d lost: not taken", won, lost)
        return SelfTrained(base, len(unlabelled), 0, float("nan"), *happened)
    head, sure = taught(base, vectors, labels, unlabelled, SHARES[best])
    found = SelfTrained(head, len(unlabelled), len(sure), float(sure.min()), *happened)
    log.info("self-training: %s", found)
    return found


def taught(
    known: Linear, vectors: Floats, labels: NDArray[np.int32], unlabelled: Floats, share: float
) -> tuple[Linear, Floats]:
    """The model that also learns from the surest share of each guessed label's texts, and how sure those are.

    The share is of each label, so that an easy label's texts do not drown the others.
    """
    chances = known.chances(unlabelled)
    guessed, sure = chances.argmax(1).astype(np.int32), chances.max(1)
    rows = surest(chances, share)
    both = np.concatenate([vectors, unlabelled[rows]])
    weight = np.concatenate([np.ones(len(vectors)), np.full(len(rows), _WEIGHT)]).astype(np.float32)
    head = fit_linear(
        both, np.concatenate([labels, guessed[rows]]), chances.shape[1], strengths=(known.strength,), weight=weight
    )
    return Linear(head.weights, head.bias, head.strength, known.held), sure[rows]


def surest(chances: Floats, share: float) -> NDArray[np.intp]:
    """Rows of chances float32[n, labels]: that share of each guessed label's, the surest."""
    guessed, sure = chances.argmax(1), chances.max(1)
    of_each = [np.flatnonzero(guessed == label) for label in range(chances.shape[1])]
    parts = [rows[np.argsort(-sure[rows], kind="stable")[: int(np.ceil(len(rows) * share))]] for rows in of_each]
    found: NDArray[np.intp] = np.concatenate(parts)
    return found
