"""Words and vectors to products."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from aisle.types import NOTHING, FacetValue, Filters, Group, Ords, Query, Scores, Vectors


@dataclass(frozen=True, slots=True)
class LexicalResult:
    """The hit set of a query and the best of it.

    The hit set is (lexical matches ∪ neighbours) ∩ filters; `n_hits`, `facets`
    and `facet_stats` are counted over exactly it. `ords` int32[n] holds the
    page asked for (by the sort) or, by relevance, the best `top_k` lexical
    matches and all neighbours that pass; `bm25` float32[n] their lexical
    scores with the query's boosts, 0 for a neighbour that shares neither a
    word nor anything understood. `matched` bool[n] tells which of them the words
    alone found (None: all of them).
    """

    ords: Ords
    bm25: Scores
    n_hits: int
    facets: Mapping[str, tuple[FacetValue, ...]] = field(default_factory=lambda: NOTHING)
    facet_stats: Mapping[str, tuple[float, float]] = field(default_factory=lambda: NOTHING)
    matched: NDArray[np.bool_] | None = None


@runtime_checkable
class LexicalIndex(Protocol):
    """Words to products."""

    def upsert(self, groups: Sequence[Group]) -> None:
        """Index anew; a group without products is removed. Visible after commit()."""

    def commit(self, seq: int) -> None:
        """Make durable and visible; remember the catalogue `seq` applied."""

    def applied_seq(self) -> int: ...

    def reload(self) -> None:
        """See what another process committed."""

    def search(
        self,
        query: Query,
        *,
        neighbours: Callable[[], Ords] | None = None,
        filters: Filters = (),
        facets: Sequence[str] = (),
        top_k: int = 200,
        sort: str = "relevance",
        offset: int = 0,
    ) -> LexicalResult:
        """`sort`: relevance, price_asc, price_desc, newest. Raises InvalidFilter for an unknown field.

        `neighbours` gives what joins the hit set whatever its words; it is asked
        once, when the words have been looked up: an encoder works meanwhile.
        """

    def fields(self) -> tuple[str, ...]:
        """Names a filter or facet may use."""

    def vocabulary(self, field_name: str, limit: int = 10_000) -> list[tuple[str, int]]:
        """The values of a facet field, as displayed, with how many groups have each, most frequent first.

        The name `words` gives the unstemmed words of titles, categories, brands and traits.
        """

    def document_frequency(self, word: str) -> int:
        """In how many groups a (stemmed) word occurs."""

    def claim(self) -> None:
        """Become the writer. Raises ShopBusy while another is."""

    def close(self) -> None: ...


@runtime_checkable
class DenseIndex(Protocol):
    """Vectors to neighbours by cosine."""

    def upsert(self, ords: Ords, vectors: Vectors) -> None: ...

    def remove(self, ords: Ords) -> None: ...

    def search(
        self, vector: Vectors, top_k: int, allowed: Ords | None = None, *, beam: int | None = None
    ) -> tuple[Ords, Scores]:
        """The nearest, best first; `allowed` confines the search to those ords (exact then). `beam`: how many
        candidates a large index keeps in view; fewer are quicker, and miss some (None: its own number)."""

    def vectors(self, ords: Ords) -> Vectors:
        """float32[n, dim]; a row of zeros for an unknown ord."""

    def __len__(self) -> int: ...

    def save(self, folder: Path, seq: int) -> None:
        """Write a snapshot under a temporary name, then rename."""

    def load(self, folder: Path) -> int:
        """Read a snapshot, returning its seq. Raises ModelDamaged when it cannot be trusted."""
