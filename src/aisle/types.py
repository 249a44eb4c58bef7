"""Frozen values that flow through every stage.

The integer `ord` is the one key inside the engine: each *group* of variants
(an `item_group_id`, or a lone product) has one, given on first sight and never
reused. Arrays of candidates are arrays of ords. Outside the engine only
`item_id` and `group_id` appear.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ords: TypeAlias = NDArray[np.int32]
Scores: TypeAlias = NDArray[np.float32]
Vectors: TypeAlias = NDArray[np.float32]

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount in a currency (ISO 4217)."""

    amount: Decimal
    currency: str = "USD"

    @classmethod
    def parse(cls, text: str, currency: str = "USD") -> Self:
        """Read Google Merchant's `"52.00 USD"`; also `"52"`, `"$52"`, `"1,299.00"`.

        Raises ValueError when it is not a finite, non-negative amount.
        """
        words = text.replace(",", "").split()
        if len(words) == 2 and words[0].isalpha():
            words.reverse()
        if len(words) == 2:
            currency = words[1].upper()
        try:
            if not 1 <= len(words) <= 2:
                raise InvalidOperation
            amount = Decimal(words[0].lstrip("$€£¥"))
        except InvalidOperation:
            raise ValueError(f"not a price: {text[:40]!r} (write it as 52.00 USD)") from None
        if not amount.is_finite() or amount < 0 or amount > 10**12:
            raise ValueError(f"not a price: {text[:40]!r} (it must be between 0 and 10^12)")
        if len(currency) != 3 or not currency.isascii() or not currency.isalpha():
            raise ValueError(f"not a currency: {currency[:12]!r} (write three letters, as USD)")
        return cls(amount, currency)

    def __str__(self) -> str:
        return f"{self.amount:.2f} {self.currency}"


Availability: TypeAlias = Literal["in_stock", "out_of_stock", "preorder", "backorder"]


@dataclass(frozen=True, slots=True)
class Product:
    """One sellable item, as Google Merchant describes it.

    Variants of one product share a `group_id`. `attributes` holds every further
    column and `product_detail`, each name with its values.
    """

    item_id: str
    title: str
    group_id: str = ""
    description: str = ""
    link: str = ""
    image_link: str = ""
    additional_image_links: tuple[str, ...] = ()
    availability: Availability = "in_stock"
    price: Money | None = None
    sale_price: Money | None = None
    brand: str = ""
    product_type: str = ""
    additional_product_types: tuple[str, ...] = ()
    color: str = ""
    size: str = ""
    gender: str = ""
    material: str = ""
    pattern: str = ""
    age_group: str = ""
    condition: str = ""
    quantity: int | None = None
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: NOTHING)

    @property
    def key(self) -> str:
        """The group the product stands in: its own id when it has no variants."""
        return self.group_id or self.item_id

    @property
    def current_price(self) -> Money | None:
        """What a shopper pays now."""
        return self.sale_price or self.price


@dataclass(frozen=True, slots=True)
class Group:
    """The variants of one product, in a stable order; what is indexed and shown."""

    ord: int
    group_id: str
    products: tuple[Product, ...]
    seq: int = 0
    first_seen_ms: int = 0

    @property
    def lead(self) -> Product:
        """The variant that stands for the group: the first that can be bought."""
        return next((p for p in self.products if p.availability != "out_of_stock"), self.products[0])


@dataclass(frozen=True, slots=True)
class Review:
    """What one shopper wrote about one item; `rating` from 1 to 5."""

    review_id: str
    item_id: str
    rating: float
    title: str = ""
    text: str = ""
    reviewer: str = ""
    time_ms: int = 0


@dataclass(frozen=True, slots=True)
class Promotion:
    """An offer, with the moments between which it holds (0: unbounded)."""

    promotion_id: str
    name: str
    description: str = ""
    coupon_code: str = ""
    starts_ms: int = 0
    ends_ms: int = 0
    details: Mapping[str, str] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True)
class Page:
    """A help or content page."""

    page_id: str
    title: str
    text: str


EVENT_NAMES: tuple[str, ...] = (
    "view_item_list", "select_item", "view_item", "add_to_cart", "remove_from_cart", "add_to_wishlist",
    "begin_checkout", "purchase", "refund", "search", "view_promotion", "share", "rate", "not_interested", "follow",
)  # fmt: skip
"""GA4's e-commerce names, then explicit feedback."""


@dataclass(frozen=True, slots=True)
class EventItem:
    """An item as an event names it. `price` is per unit; `index` is the 0-based place in a list."""

    item_id: str
    price: Money | None = None
    quantity: int = 1
    index: int | None = None
    item_list_id: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """Something a shopper did. `time_ms` is when it happened (Unix, UTC), not when it arrived.

    `list_id` is the answer it came from (Slate.list_id). The same `event_id`
    twice is one event.
    """

    name: str
    visitor_id: str
    items: tuple[EventItem, ...] = ()
    time_ms: int = 0
    event_id: str = ""
    session_id: str = ""
    user_id: str = ""
    list_id: str = ""
    query: str = ""
    rating: float | None = None
    value: Money | None = None
    params: Mapping[str, str | int | float | bool] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event with its place in the log."""

    seq: int
    event: Event


@dataclass(frozen=True, slots=True)
class Ack:
    """The log's answer: durable at `seq`; `duplicate` when the id was already there."""

    event_id: str
    seq: int
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition: `field` is any of `values`, or lies in [low, high]; `exclude` negates it."""

    field: str
    values: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    exclude: bool = False


Filters: TypeAlias = tuple[Clause, ...]
"""Clauses that must all hold."""


@dataclass(frozen=True, slots=True)
class Understood:
    """A part of the query that was given a meaning.

    `hard` clauses filter, others only boost. `text` is the shopper's words,
    `confidence` lies in [0, 1].
    """

    kind: Literal["price", "color", "gender", "size", "brand", "category", "material", "attribute"]
    text: str
    clause: Clause
    confidence: float = 1.0
    hard: bool = False


@dataclass(frozen=True, slots=True)
class Term:
    """A word to match, with further forms of it and their weights in (0, 1]."""

    text: str
    weight: float = 1.0
    expansions: tuple[tuple[str, float], ...] = ()
    required: bool = True


@dataclass(frozen=True, slots=True)
class Query:
    """What the shopper typed and what was understood.

    `terms` are what lexical retrieval matches; `semantic_text` is what the
    encoder reads (the words without the price limit).
    """

    text: str
    language: str = "en"
    terms: tuple[Term, ...] = ()
    semantic_text: str = ""
    understood: tuple[Understood, ...] = ()
    corrected: str = ""

    @property
    def filters(self) -> Filters:
        """The clauses that must hold because the shopper said so."""
        return tuple(u.clause for u in self.understood if u.hard)

    @property
    def boosts(self) -> tuple[Understood, ...]:
        """What was understood, but not surely enough to filter."""
        return tuple(u for u in self.understood if not u.hard)


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
class Slate:
    """An answer: what is shown, and enough to learn from it later.

    `n_hits` counts all that match; `facets` are counted over exactly those.
    `features` are aligned with `hits`; `degraded` names parts that could not help. A search that found nothing
    shows its `rescue` instead; `context` is what was known of the moment.
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


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A completion of what is being typed. `highlight` marks the typed part with <em>."""

    text: str
    kind: Literal["query", "category", "product"]
    score: float
    item_id: str = ""
    image_link: str = ""
    highlight: str = ""


@dataclass(frozen=True, slots=True)
class ItemPage:
    """All that a product page shows."""

    group: Group
    reviews: tuple[Review, ...] = ()
    n_reviews: int = 0
    rating: float | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that was not taken, and why. `line` is 1-based and counts the header."""

    file: str
    line: int
    field: str
    reason: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What an import did. `n_removed` counts items absent from a full feed."""

    kind: Literal["products", "events", "reviews", "promotions", "pages"]
    n_read: int = 0
    n_added: int = 0
    n_changed: int = 0
    n_unchanged: int = 0
    n_removed: int = 0
    n_rejected: int = 0
    rejects_file: str = ""
    seconds: float = 0.0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A version of a model in the registry. `metrics` were measured before it was promoted."""

    name: str
    version: str
    created_ms: int
    active: bool = False
    metrics: Mapping[str, float] = field(default_factory=lambda: NOTHING)
    params: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    note: str = ""


def now_ms() -> int:
    """Milliseconds since 1970, UTC."""
    return math.floor(time.time() * 1000)
