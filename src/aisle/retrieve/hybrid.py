"""Search by words and by meaning: one hit set, and both scores of every candidate."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aisle.ports import DenseIndex, LexicalIndex, TextEncoder
from aisle.retrieve.meaning import QueryVectors
from aisle.settings import SearchSettings
from aisle.types import NOTHING, FacetValue, Filters, Ords, Query, Scores, Vectors

log = logging.getLogger("aisle.retrieve")

TELL_EVERY_S: Final = 60.0
"""Seconds between two log entries about the same failing part."""


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Candidates `ords` int32[n] with `bm25` and `cosine` float32[n], and the facts of the whole hit set.

    A score of 0 means that this side has nothing to say. `matched` bool[n] tells
    which the words alone found, `semantic` whether meaning was used at all;
    `degraded` names parts that failed. `vector` float32[dim] is the query as the `encoder` of that name reads it.
    """

    ords: Ords
    bm25: Scores
    cosine: Scores
    n_hits: int
    facets: Mapping[str, tuple[FacetValue, ...]] = field(default_factory=lambda: NOTHING)
    facet_stats: Mapping[str, tuple[float, float]] = field(default_factory=lambda: NOTHING)
    matched: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    vector: Vectors | None = None
    encoder: str = ""
    degraded: tuple[str, ...] = ()


class HybridRetriever:
    """Lexical matches together with the neighbours whose cosine reaches `settings.neighbour_cut`.

    The lexical index counts, filters and pages that one set. Without an
    encoder, or for a language it does not read, search is lexical; an encoder or
    a dense index that fails makes it lexical too, and says so in `degraded`.
    """

    def __init__(
        self,
        lexical: LexicalIndex,
        dense: DenseIndex | None,
        encoder: TextEncoder | None,
        settings: SearchSettings,
    ) -> None:
        self._lexical, self._dense, self._encoder, self._settings = lexical, dense, encoder, settings
        timeout_s = settings.encoder_timeout_ms / 1000
        self._vectors = None if encoder is None else QueryVectors(encoder, settings.cache_size, timeout_s)
        self._told: dict[str, float] = {}

    def retrieve(
        self,
        query: Query,
        *,
        filters: Filters = (),
        facets: Sequence[str] = (),
        top_k: int | None = None,
        sort: str = "relevance",
        offset: int = 0,
    ) -> Retrieved:
        """The best `top_k` lexical matches and all neighbours, under the query's and the caller's filters.

        With another `sort`, the page of `top_k` from `offset` in that order.
        Raises InvalidFilter for an unknown field.
        """
        vector, neighbours, degraded = self._meaning_of(query)
        found = self._lexical.search(
            query,
            neighbours=neighbours,
            filters=(*query.filters, *filters),
            facets=facets,
            top_k=self._settings.top_k if top_k is None else top_k,
            sort=sort,
            offset=offset,
        )
        cosines = np.zeros(len(found.ords), np.float32)
        if vector is not None and self._dense is not None and len(found.ords):
            try:
                cosines = self._dense.vectors(found.ords) @ vector
            except Exception as error:
                self._tell("dense", error)
                vector, degraded = None, ("dense",)
        return Retrieved(
            ords=found.ords,
            bm25=found.bm25,
            cosine=cosines,
            n_hits=found.n_hits,
            facets=found.facets,
            facet_stats=found.facet_stats,
            matched=np.ones(len(found.ords), np.bool_) if found.matched is None else found.matched,
            vector=vector,
            encoder=self._encoder.name if self._encoder is not None else "",
            degraded=degraded,
        )

    def nearest(self, query: Query, top_k: int) -> tuple[Ords, Scores]:
        """The products nearest in meaning and their cosines, however far; nothing when meaning cannot help."""
        vector, _, _ = self._meaning_of(query)
        if vector is None or self._dense is None:
            return np.empty(0, np.int32), np.empty(0, np.float32)
        return self._dense.search(vector, top_k)

    def _meaning_of(self, query: Query) -> tuple[Vectors | None, Ords | None, tuple[str, ...]]:
        """The query as float32[dim] and its neighbours; None when meaning cannot help; what failed."""
        text, encoder, dense = query.semantic_text.strip(), self._encoder, self._dense
        if not text or self._vectors is None or encoder is None or dense is None or not len(dense):
            return None, None, ()
        if not encoder.covers(query.language):
            return None, None, ()
        try:
            vector = self._vectors.of(text)
        except Exception as error:  # whatever an encoder raises: words answer too
            self._tell("encoder", error)
            return None, None, ("encoder",)
        if not self._settings.neighbours:
            return vector, None, ()
        try:
            nearest, cosine = dense.search(vector, self._settings.neighbours)
        except Exception as error:
            self._tell("dense", error)
            return None, None, ("dense",)
        return vector, nearest[cosine >= self._settings.neighbour_cut], ()

    def _tell(self, part: str, error: Exception) -> None:
        """Log that a part fails, now and then: not once a query."""
        now = time.monotonic()
        if now >= self._told.get(part, -TELL_EVERY_S) + TELL_EVERY_S:
            self._told[part] = now
            log.warning("searching by words only: %s: %s", part, error)
