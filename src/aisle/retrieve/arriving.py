"""A source whose products have vectors, kept up with the catalogue: what is new is proposed at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from aisle.ports import CatalogueFacts, DenseIndex, Recommender, Shopper
from aisle.types import Candidates, Ords, Vectors

AT_ONCE: Final = 2000
"""Products that are encoded in one go."""


class Arriving:
    """Gives the products that came after a model was fitted their vectors, and takes away those that went.

    `encode` makes unit vectors float32[n, dim] of ords, zeros where not enough is
    known yet; those are tried again when `version()` changes. `load`, if any,
    puts the fitted vectors into the index, when it is first kept up; until then
    this source is silent.
    """

    def __init__(
        self,
        source: Recommender,
        index: DenseIndex,
        facts: Callable[[], CatalogueFacts],
        encode: Callable[[Ords], Vectors],
        version: Callable[[], object],
        load: Callable[[], None] | None = None,
    ) -> None:
        self._source, self._index, self._facts, self._encode = source, index, facts, encode
        self._version, self._load = version, load
        self._seen: object = None
        self._known = np.empty(0, bool)

    @property
    def name(self) -> str:
        return self._source.name

    def recommend(self, shopper: Shopper, seeds: Ords, top_k: int) -> Candidates:
        return self._source.recommend(shopper, seeds, top_k)

    def keep_up(self) -> None:
        """Take in what came and went since the last call. For one thread."""
        if self._load is not None:
            self._load()
            self._load = None
        facts, version = self._facts(), self._version()
        if version == self._seen:
            return
        alive, before = facts.alive, len(self._known)
        if before < len(alive):
            known = np.zeros(len(alive), bool)
            known[:before] = self._known
            fresh = np.arange(before, len(alive), dtype=np.int32)
            known[before:] = self._index.vectors(fresh).any(1)
            self._known = known
        gone = np.flatnonzero(self._known[: len(alive)] & ~alive).astype(np.int32)
        if len(gone):
            self._index.remove(gone)
            self._known[gone] = False
        new = np.flatnonzero(alive & ~self._known[: len(alive)]).astype(np.int32)
        for at in range(0, len(new), AT_ONCE):
            ords = new[at : at + AT_ONCE]
            vectors = self._encode(ords)
            has = vectors.any(1)
            self._index.upsert(ords[has], vectors[has])
            self._known[ords[has]] = True
        self._seen = version
