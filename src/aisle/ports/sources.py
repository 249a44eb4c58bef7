"""Who recommends, to whom, and out of what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from aisle.types import Candidates, Ords, Scores


@dataclass(frozen=True, slots=True)
class Shopper:
    """What is known of a visitor now: a read-only view of a fold over the log.

    `recent` int32[n] are the last ords engaged with, newest first, with
    `weights` float32[n] (a purchase counts more than a view, old less than
    new); `session` int32[m] is the part of them in the session going on.
    `sequence` int32[k] are the steps in the order they were taken, oldest first
    and repeats kept, at the times `sequence_ms` int64[k] with the `strengths`
    float32[k]: what a sequence model reads; its last `n_session` steps are the
    session going on. `follows` are followed names, each with what it names
    (`brand`, `product_type`), newest first; `set_aside` was disliked just now.
    """

    visitor_id: str
    recent: Ords
    weights: Scores
    session: Ords
    purchased: Ords
    cart: Ords
    disliked: Ords
    queries: tuple[str, ...] = ()
    version: int = 0
    sequence: Ords = field(default_factory=lambda: np.empty(0, np.int32))
    sequence_ms: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    strengths: Scores = field(default_factory=lambda: np.empty(0, np.float32))
    n_session: int = 0
    follows: tuple[tuple[str, str], ...] = ()
    set_aside: Ords = field(default_factory=lambda: np.empty(0, np.int32))

    @classmethod
    def of_sequence(cls, ords: Ords, *, visitor_id: str = "", half: float = 4.0) -> Self:
        """A shopper of whom only an order of steps is known, all of one session: `ords` int32[n], oldest first.

        Weights halve every `half` steps back.
        """
        ords = np.asarray(ords, np.int32)
        newest = ords[::-1]
        _, first = np.unique(newest, return_index=True)
        first = np.sort(first)
        recent = newest[first]
        weights = np.exp2(-first / half).astype(np.float32)
        none = np.empty(0, np.int32)
        n = len(ords)
        return cls(
            visitor_id, recent, weights, recent, none, none, none,
            sequence=ords, sequence_ms=np.arange(n, dtype=np.int64), strengths=np.ones(n, np.float32), n_session=n,
        )  # fmt: skip

    @property
    def is_new(self) -> bool:
        return len(self.recent) == 0


class CatalogueFacts(Protocol):
    """Small facts of the catalogue as arrays by ord: masks and scores without a query.

    Every array has a row for each ord up to the newest, dead ones included;
    `category` and `brand` are codes into `categories` and `brands` (-1: none).
    """

    @property
    def alive(self) -> NDArray[np.bool_]: ...
    @property
    def in_stock(self) -> NDArray[np.bool_]: ...
    @property
    def has_image(self) -> NDArray[np.bool_]: ...
    @property
    def category(self) -> NDArray[np.int32]: ...
    @property
    def brand(self) -> NDArray[np.int32]: ...
    @property
    def first_seen_ms(self) -> NDArray[np.int64]: ...
    @property
    def price(self) -> Scores: ...
    @property
    def categories(self) -> Sequence[str]: ...
    @property
    def brands(self) -> Sequence[str]: ...
    @property
    def version(self) -> int: ...


@runtime_checkable
class Recommender(Protocol):
    """A source of candidates for a shopper, some seed items, or both."""

    @property
    def name(self) -> str: ...

    def recommend(self, shopper: Shopper, seeds: Ords, top_k: int) -> Candidates:
        """Best first; empty when this source has nothing to say. Never raises for unknown ords."""


@runtime_checkable
class Ranker(Protocol):
    """Scores the candidates of a search by their features."""

    @property
    def names(self) -> tuple[str, ...]:
        """The features it reads, in order."""

    def score(self, features: NDArray[np.float32]) -> Scores:
        """float32[n] of features float32[n, len(names)]; higher is better."""
