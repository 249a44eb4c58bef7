"""What is proposed, and what is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Self

import numpy as np

from aisle.types.arrays import NOTHING, Ords, Scores
from aisle.types.catalogue import Money
from aisle.types.query import Query


@dataclass(frozen=True, slots=True)
class Candidates:
    """Items a source proposes: `ords` int32[n], `scores` float32[n], best first.

    `because` int32[n] is the ord that led to each (-1: none), for reasons;
    `features` are named float32[n] columns that ranking and the slate log keep.
    """

    source: str
    ords: Ords
    scores: Scores
    because: Ords | None = None
    features: Mapping[str, Scores] = field(default_factory=lambda: NOTHING)

    @classmethod
    def none(cls, source: str) -> Self:
        return cls(source, np.empty(0, np.int32), np.empty(0, np.float32))

    def __len__(self) -> int:
        return len(self.ords)


@dataclass(frozen=True, slots=True)
class Context:
    """When, where and on what a shopper looks.

    `time_ms` (Unix, UTC; 0: now) gives hour, weekday and season; `place` is a country, or with its city (`GB/Leeds`).
    """

    time_ms: int = 0
    place: str = ""
    device: Literal["", "phone", "desk"] = ""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a hit is shown. `kind` names a sentence in `explain.reasons`, `subject` fills it."""

    kind: str
    subject: str = ""
    item_id: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """One item of an answer. `position` is 0-based over all pages; higher `score` is better."""

    item_id: str
    group_id: str
    title: str
    score: float
    position: int
    product_type: str = ""
    brand: str = ""
    price: Money | None = None
    sale_price: Money | None = None
    price_high: Money | None = None
    image_link: str = ""
    link: str = ""
    availability: str = "in_stock"
    n_variants: int = 1
    colors: tuple[str, ...] = ()
    rating: float | None = None
    n_reviews: int = 0
    sources: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()
    highlights: Mapping[str, str] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True)
class FacetValue:
    value: str
    count: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What answers a search beside products: an offer that holds now, a help page, a category.

    `target` is the promotion's id, the page's id or the category's path; `ends_ms` when an offer ends (0: never).
    """

    kind: Literal["promotion", "page", "category"]
    target: str
    title: str
    text: str = ""
    coupon_code: str = ""
    ends_ms: int = 0


@dataclass(frozen=True, slots=True)
class Slate:
    """An answer: what is shown, and enough to learn from it later.

    `n_hits` counts all that match; `facets` are counted over exactly those.
    `features` are aligned with `hits`; `degraded` names parts that could not help. A search that found nothing
    shows its `rescue` instead; `answers` are what the words asked for beside products; `context` is
    what was known of the moment.
    """

    list_id: str
    surface: str
    hits: tuple[Hit, ...]
    visitor_id: str = ""
    query: Query | None = None
    n_hits: int = 0
    page: int = 0
    hits_per_page: int = 24
    facets: Mapping[str, tuple[FacetValue, ...]] = field(default_factory=lambda: NOTHING)
    facet_stats: Mapping[str, tuple[float, float]] = field(default_factory=lambda: NOTHING)
    features: Mapping[str, Sequence[float]] = field(default_factory=lambda: NOTHING)
    propensities: tuple[float, ...] = ()
    model_versions: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    time_ms: int = 0
    took_ms: float = 0.0
    degraded: tuple[str, ...] = ()
    context: Context = Context()
    rescue: Slate | None = None
    answers: tuple[Answer, ...] = ()


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A completion of what is being typed. `highlight` marks the typed part with <em>.

    `recent` says that it is a search of the shopper's own. A product comes with
    its `price`, and what it `was` before a sale.
    """

    text: str
    kind: Literal["query", "category", "product"]
    score: float
    item_id: str = ""
    image_link: str = ""
    highlight: str = ""
    recent: bool = False
    price: Money | None = None
    was: Money | None = None
