"""Which unlabelled texts are most worth a person's time, in what order, and why.

A text is worth a label when the model hesitates between two labels (small
margin, Scheffer et al. 2001), when it stands for many others (information
density, Settles and Craven 2008), and when no text like it has a label or
stands above it in the queue (the farthest-first walk of core sets, Sener and
Savarese 2018). Texts are chosen one after the other, each by the product of
the three, so that a queue holds no near copies. Before there is any label the
last two choose alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from aisle.errors import InvalidRequest
from aisle.learn.adapt.linear import Floats

NEAR: Final = 0.6
"""The cosine from which on two short texts say much the same."""
SHARE: Final = 0.005
"""Of all texts: what stands for fewer is not worth saying so."""
_SEEN: Final = 2000
"""Texts by which density is measured, drawn at random from more."""
_CHUNK: Final = 2048


@dataclass(frozen=True, slots=True)
class Worth:
    """The text at `row` and its `value`, 0 to 1; the first of a queue has the highest.

    `between` are the two likeliest labels with their chances (empty before there is a model), `alike` the share
    of all texts that say much the same, `nearest` its cosine with the nearest text that has a label or is higher
    in the queue.
    """

    row: int
    value: float
    between: tuple[tuple[str, float], ...]
    alike: float
    nearest: float

    @property
    def reason(self) -> str:
        """In a shopkeeper's words."""
        parts = []
        if self.between:
            (first, p_first), (second, p_second) = self.between
            hesitates = p_first < 2 * p_second or p_first < 0.5
            verb = "hesitates between" if hesitates else "leans to"
            joint = "and" if hesitates else "over"
            parts.append(f"the model {verb} {first} ({p_first:.0%}) {joint} {second} ({p_second:.0%})")
        if self.nearest < NEAR:
            parts.append("no labelled text is like it")
        if self.alike >= SHARE:
            parts.append(f"it stands for {self.alike:.1%} of the texts")
        return "; ".join(parts) or "it is unlike what is above it"


def worth_labelling(
    unlabelled: Floats,
    *,
    chances: Floats | None = None,
    names: Sequence[str] = (),
    labelled: Floats | None = None,
    top_k: int = 20,
    seed: int = 0,
) -> list[Worth]:
    """The `top_k` texts most worth a label, best first, of unit vectors float32[n, dim].

    `chances` float32[n, labels] are what the model of today says of them, of the labels `names`; `labelled`
    float32[m, dim] the vectors of texts that have a label. Raises InvalidRequest where these do not fit.
    """
    if chances is not None and chances.shape != (len(unlabelled), len(names)):
        raise InvalidRequest(
            f"chances are {chances.shape[0]} by {chances.shape[1]}, but there are {len(unlabelled)} texts "
            f"and {len(names)} labels",
            field="chances",
        )
    if top_k < 1:
        raise InvalidRequest("a queue holds at least one text", field="top_k")
    if not len(unlabelled):
        return []
    rng = np.random.default_rng(seed)
    density, alike = _density(unlabelled, rng)
    doubt = np.ones(len(unlabelled), np.float32)
    if chances is not None and len(names) > 1:
        highest = np.partition(chances, -2, axis=1)[:, -2:]
        doubt = 1.0 - np.abs(highest[:, 1] - highest[:, 0])
    nearest = np.full(len(unlabelled), -1.0, np.float32)
    if labelled is not None and len(labelled):
        for begin in range(0, len(unlabelled), _CHUNK):
            nearest[begin : begin + _CHUNK] = (unlabelled[begin : begin + _CHUNK] @ labelled.T).max(1)
    found: list[Worth] = []
    waiting = np.ones(len(unlabelled), bool)
    for _ in range(min(top_k, len(unlabelled))):
        value = np.where(waiting, doubt * density * _distance(nearest), -1.0)
        row = int(value.argmax())
        found.append(
            Worth(row, float(value[row]), _between(chances, names, row), float(alike[row]), float(nearest[row]))
        )
        waiting[row] = False
        np.maximum(nearest, unlabelled @ unlabelled[row], out=nearest)
    return found


def _distance(nearest: Floats) -> Floats:
    """0 for a copy of what is known, 1 for what shares nothing with it."""
    far: Floats = np.clip(1.0 - nearest, 0.0, 1.0)
    return far


def _density(vectors: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """How near the texts lie to all others, 0 to 1 and float32[n], and the share of all that say much the same."""
    seen = vectors[rng.permutation(len(vectors))[:_SEEN]]
    n_near = max(1, min(len(seen) - 1, round(len(seen) * 0.01)))
    density, alike = np.empty(len(vectors), np.float32), np.empty(len(vectors), np.float32)
    for begin in range(0, len(vectors), _CHUNK):
        cosines = vectors[begin : begin + _CHUNK] @ seen.T
        density[begin : begin + _CHUNK] = np.partition(cosines, -n_near, axis=1)[:, -n_near:].mean(1)
        alike[begin : begin + _CHUNK] = (cosines >= NEAR).mean(1)
    return np.clip(density, 0.0, 1.0), alike


def _between(chances: Floats | None, names: Sequence[str], row: int) -> tuple[tuple[str, float], ...]:
    if chances is None or len(names) < 2:
        return ()
    first, second = np.argsort(-chances[row], kind="stable")[:2].tolist()
    return (names[first], float(chances[row, first])), (names[second], float(chances[row, second]))
