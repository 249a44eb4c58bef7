"""Related products by the knowledge graph, those that came after training among them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from aisle.errors import ModelDamaged
from aisle.ports import CatalogueFacts, Shopper
from aisle.retrieve.newcomers import ContentEncoder
from aisle.retrieve.paths import Paths, Step
from aisle.retrieve.pooling import pool
from aisle.types import Candidates, Ords, Scores, Vectors

MOST_SEEDS: Final = 12
HALF: Final = 2.0
"""Products back at which one counts half for a shopper."""

SMOOTH: Final = 5.0
"""As in `learn.graph`: what is added to a place before its reciprocal is taken."""

MOST_NEW: Final = 2000
"""Newcomers that are looked at, the newest: by then it is time to train again."""

_PREFIX: Final = ("category: ", "brand: ", "")
"""Of words (`learn.tower.words_of`), by the number that `name_kinds` holds."""


@dataclass(frozen=True, slots=True)
class _New:
    """Products that came after training: `ords` int32[m] ascending, unit `vectors` float32[m, k]."""

    ords: Ords
    vectors: Vectors


class Graph:
    """Lists of related products, pooled over the seeds or over what the shopper did last.

    A newcomer joins a seed's list at the place that its cosine would have had
    there, so it competes with the others from its first minute.
    """

    name = "graph"

    def __init__(
        self,
        arrays: Mapping[str, np.ndarray],
        facts: Callable[[], CatalogueFacts] | None = None,
        content: Callable[[Ords], tuple[Vectors, list[list[str]]]] | None = None,
        version: Callable[[], object] | None = None,
    ) -> None:
        """`arrays` as `learn.graph` makes them.

        `content` tells of products that came later: features float32[n, f] as in
        training, and words ("brand: Nord", "color: Red"); it is asked again when
        `version()` changes. Without it, newcomers stay unknown.

        Raises ModelDamaged when the arrays are not of such a model.
        """
        try:
            about = json.loads(arrays["about"].tobytes())
            names, self._share = about["names"], float(about["share_sage"])
            self._indptr, self._indices, self._weights = (arrays[key] for key in ("indptr", "indices", "weights"))
            self._vectors, self._nearest, self._alive = (arrays[key] for key in ("vectors", "nearest", "alive"))
            kinds = arrays["name_kinds"].tolist()
            self._paths = Paths(arrays, names)
        except (KeyError, ValueError, TypeError) as error:
            raise ModelDamaged(f"the knowledge graph cannot be read ({error}); train again") from error
        prefix = "encoder_"
        self._encoder = ContentEncoder({k.removeprefix(prefix): a for k, a in arrays.items() if k.startswith(prefix)})
        self._number = {_PREFIX[kind] + name: n for n, (kind, name) in enumerate(zip(kinds, names, strict=True))}
        self._facts, self._content, self._version = facts, content, version
        self._new = _New(np.empty(0, np.int32), np.empty((0, self._vectors.shape[1]), np.float32))
        self._seen: object = None

    def recommend(self, shopper: Shopper, seeds: Ords, top_k: int) -> Candidates:
        """Related to the seeds or, without seeds, to what the shopper did lately, the newest most."""
        chosen = seeds if len(seeds) else shopper.recent
        known = seeds if len(seeds) else np.concatenate([shopper.recent, shopper.cart, shopper.disliked])
        new = self._new
        inside = (chosen >= 0) & (chosen < len(self._alive))
        placed = np.isin(chosen, new.ords) | (inside & self._alive[np.where(inside, chosen, 0)])
        chosen = chosen[placed][:MOST_SEEDS]
        if not len(chosen):
            return Candidates.none(self.name)
        weights = np.ones(len(chosen)) if len(seeds) else np.exp2(-np.arange(len(chosen)) / HALF)
        lists = [self._related(seed, new) for seed in chosen.tolist()]
        sizes = [len(ords) for ords, _ in lists]
        ords = np.concatenate([ords for ords, _ in lists])
        parts = np.concatenate([scores for _, scores in lists]) * np.repeat(weights, sizes)
        return pool(self.name, ords, parts.astype(np.float32), np.repeat(chosen, sizes), without=known, top_k=top_k)

    def path(self, seed: int, candidate: int) -> tuple[Step, ...]:
        """At most three steps from the seed to the candidate; () when the graph knows none."""
        return self._paths.path(seed, candidate)

    def facts(self, seeds: Iterable[int], candidate: int) -> tuple[Step, ...]:
        """What relates the candidate to any of the seeds, for reasons (`explain.reasons.reasons_for_graph`)."""
        return self._paths.facts(seeds, candidate)

    # ------------------------------------------------------------- related

    def _related(self, seed: int, new: _New) -> tuple[Ords, Scores]:
        at = int(np.searchsorted(new.ords, seed))
        if at < len(new.ords) and new.ords[at] == seed:
            return self._of_newcomer(new.vectors[at], new)
        row = slice(int(self._indptr[seed]), int(self._indptr[seed + 1]))
        ords, weights = self._indices[row], self._weights[row]
        if not len(new.ords):
            return ords, weights
        cosines = new.vectors @ self._vectors[seed]
        near = np.flatnonzero(cosines >= self._nearest[seed, -1])
        place = np.searchsorted(-self._nearest[seed], -cosines[near].astype(np.float16))
        parts = (self._share / (place + SMOOTH)).astype(np.float32)
        return np.concatenate([ords, new.ords[near]]), np.concatenate([weights, parts])

    def _of_newcomer(self, vector: Vectors, new: _New) -> tuple[Ords, Scores]:
        cosines = self._vectors @ vector
        cosines[~self._alive] = -1
        n = min(self._nearest.shape[1], len(cosines))
        best = np.argpartition(-cosines, n - 1)[:n]
        ords = np.concatenate([best.astype(np.int32), new.ords])
        cosines = np.concatenate([cosines[best], new.vectors @ vector])
        order = np.argsort(-cosines, kind="stable")[:n]
        return ords[order], (self._share / (np.arange(n) + SMOOTH)).astype(np.float32)

    # ----------------------------------------------------------- newcomers

    def encode(self, features: Vectors, words: Sequence[Sequence[str]]) -> Vectors:
        """Unit vectors float32[n, k] by content alone; a row of zeros where nothing is known.

        Features of another width than those of training (another encoder) count as none.
        """
        if features.shape[1] != self._encoder.n_features:
            features = np.zeros((len(words), self._encoder.n_features), np.float32)
        known = [[self._number[word] for word in of_one if word in self._number] for of_one in words]
        return self._encoder.encode(features, known)

    def keep_up(self) -> None:
        """Place the products that came since training. For one thread."""
        if self._facts is None or self._content is None:
            return
        facts = self._facts()
        seen = (facts.version, self._version() if self._version else None)
        if seen == self._seen:
            return
        alive = facts.alive.copy()
        alive[: len(self._alive)] &= ~self._alive[: len(alive)]
        ords = np.flatnonzero(alive)[-MOST_NEW:].astype(np.int32)
        vectors = self.encode(*self._content(ords)) if len(ords) else self._new.vectors[:0]
        placed = vectors.any(1)
        self._new = _New(ords[placed], vectors[placed])
        self._seen = seen
