"""Search by words and by meaning: one hit set, and both scores of every candidate."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
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
        meaning = self._meaning_of(query)
        found = self._lexical.search(
            query,
            neighbours=None if meaning is None else meaning.neighbours,
            filters=(*query.filters, *filters),
            facets=facets,
            top_k=self._settings.top_k if top_k is None else top_k,
            sort=sort,
            offset=offset,
        )
        cosines = np.zeros(len(found.ords), np.float32) if meaning is None else meaning.cosines(found.ords)
        return Retrieved(
            ords=found.ords,
            bm25=found.bm25,
            cosine=cosines,
            n_hits=found.n_hits,
            facets=found.facets,
            facet_stats=found.facet_stats,
            matched=np.ones(len(found.ords), np.bool_) if found.matched is None else found.matched,
            vector=None if meaning is None else meaning.vector,
            encoder=self._encoder.name if self._encoder is not None else "",
            degraded=() if meaning is None else meaning.degraded,
        )

    def nearest(self, query: Query, top_k: int) -> tuple[Ords, Scores]:
        """The products nearest in meaning and their cosines, however far; nothing when meaning cannot help."""
        meaning = self._meaning_of(query)
        return _NONE if meaning is None else meaning.nearest(top_k)

    def _meaning_of(self, query: Query) -> _Meaning | None:
        """The query as the encoder begins to read it; None when meaning cannot help."""
        text, encoder, dense = query.semantic_text.strip(), self._encoder, self._dense
        if not text or self._vectors is None or encoder is None or dense is None or not len(dense):
            return None
        if not encoder.covers(query.language):
            return None
        return _Meaning(self._vectors.of(text), dense, self._settings, self._tell)

    def _tell(self, part: str, error: Exception) -> None:
        """Log that a part fails, now and then: not once a query."""
        now = time.monotonic()
        if now >= self._told.get(part, -TELL_EVERY_S) + TELL_EVERY_S:
            self._told[part] = now
            log.warning("searching by words only: %s: %s", part, error)


class _Meaning:
    """A query that an encoder reads while its words are looked up, and what comes of it.

    `vector` float32[dim] once it was waited for; None when a part failed, which `degraded` names.
    """

    def __init__(
        self,
        reading: Callable[[], Vectors],
        dense: DenseIndex,
        settings: SearchSettings,
        tell: Callable[[str, Exception], None],
    ) -> None:
        self._reading, self._dense, self._settings, self._tell = reading, dense, settings, tell
        self.vector: Vectors | None = None
        self.degraded: tuple[str, ...] = ()

    def nearest(self, top_k: int) -> tuple[Ords, Scores]:
        """Waits for the encoder: the products nearest in meaning and their cosines, best first."""
        try:
            self.vector = self._reading()
        except Exception as error:  # whatever an encoder raises: words answer too
            self._failed("encoder", error)
            return _NONE
        try:
            return self._dense.search(self.vector, top_k) if top_k else _NONE
        except Exception as error:
            self._failed("dense", error)
            return _NONE

    def neighbours(self) -> Ords:
        """Those near enough to join the hit set."""
        nearest, cosine = self.nearest(self._settings.neighbours)
        return nearest[cosine >= self._settings.neighbour_cut]

    def cosines(self, ords: Ords) -> Scores:
        """float32[n]; zeros when meaning has failed."""
        if self.vector is not None and len(ords):
            try:
                return self._dense.vectors(ords) @ self.vector
            except Exception as error:
                self._failed("dense", error)
        return np.zeros(len(ords), np.float32)

    def _failed(self, part: str, error: Exception) -> None:
        self._tell(part, error)
        self.vector, self.degraded = None, (part,)


_NONE: Final = (np.empty(0, np.int32), np.empty(0, np.float32))
