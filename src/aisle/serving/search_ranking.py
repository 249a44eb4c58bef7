"""The order of a search's candidates: what is known of each, weighed by the model that serves.

Until a model has earned its place, words and meaning are blended by fixed
weights; what would be known of the products shown is logged all the same, for
models to learn from.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from aisle.errors import AisleError, ModelDamaged
from aisle.han import HAN, simplified
from aisle.index.title_words import TitleWords
from aisle.learn.cross_encoder import CROSS_ENCODER
from aisle.learn.fitted import Fitted
from aisle.learn.ranking import MODEL_FILE, RANKING
from aisle.learn.searched import query_key
from aisle.ports import Ranker, Reranker, Shopper
from aisle.rank.blend import blend
from aisle.rank.features import FEATURES, Looks, Named, feature_columns, matrix_of
from aisle.rank.likeness import likeness
from aisle.rank.matching import AskedWords, asked_words
from aisle.rank.together import TOGETHER, with_reading
from aisle.represent.categories import CategoryVectors
from aisle.represent.texts import text_of
from aisle.retrieve.hybrid import Retrieved
from aisle.serving.models_in_use import stored
from aisle.types import Ords, Query, Scores, now_ms
from aisle.understand.text import stem

if TYPE_CHECKING:
    from aisle.parts import Parts

log = logging.getLogger("aisle.ranking")

_DAY_MS: Final = 86_400_000
_PRIOR_REVIEWS: Final = 5.0
"""Reviews at the shop's mean that every product starts with."""
_MOST_POPULAR: Final = float(np.log1p(1000))
_FOR_POPULAR, _FOR_A_STAR, _AGAINST_GONE = 0.05, 0.03, 0.15
"""In the units of the blend, where one more matching word of three is worth about .15."""
_POPULAR_EVERY_S: Final = 60.0
_TOKEN = re.compile(rf"[{HAN}]|[^\W_{HAN}]+")
_BATCH: Final = 2000


def tokens(text: str) -> list[str]:
    """The forms by which a query's words and a product's are compared; Chinese by characters."""
    return [stem(word) for word in _TOKEN.findall(simplified(text).lower())]


@dataclass(frozen=True, slots=True)
class Ordered:
    """`scores` float32[n] of all candidates, higher is better; `features` float32[n] columns, 0 beyond those ranked."""

    scores: Scores
    features: Mapping[str, Scores]
    degraded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Weighed:
    """`blend` float32[n] is words and meaning as one score, `category` float32[n] how near the query is to each
    candidate's category, `order` int[n] all rows, best first."""

    blend: Scores
    category: Scores
    order: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Clicked:
    """What was taken after which search: `of` maps a query to ords int32[k], sorted, and how well each answers it."""

    of: Mapping[str, tuple[Ords, Scores]]

    def column(self, query: str, ords: Ords) -> Scores:
        """float32[n] for those products."""
        known = self.of.get(query_key(query))
        if known is None:
            return np.zeros(len(ords), np.float32)
        at = np.minimum(np.searchsorted(known[0], ords), len(known[0]) - 1)
        found: Scores = np.where(known[0][at] == ords, known[1][at], np.float32(0))
        return found


NOTHING_CLICKED: Final = Clicked({})


@dataclass(frozen=True, slots=True)
class _Serving:
    version: str
    ranker: Ranker
    clicked: Clicked
    encoder: str


@dataclass(frozen=True, slots=True)
class _Reading:
    """What reads the best candidates together with the query, after the model `over` (empty: after the blend)."""

    version: str
    reranker: Reranker
    weight: float
    over: str


Model = TypeVar("Model", _Serving, _Reading)


@dataclass(frozen=True, slots=True)
class _Reputation:
    """Mean rating, shrunk towards the shop's `usual` one, and log of the number of reviews: float32[m] by ord."""

    rating: Scores
    n_reviews: Scores
    usual: float
    version: tuple[int, int]


class SearchRanking:
    """Orders candidates. One thread follows, any number ask."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._words = TitleWords(tokens)
        self._seq = 0
        self._serving: _Serving | None = None
        self._reading: _Reading | None = None
        self._refused: dict[tuple[str, str], str] = {}
        none = np.empty(0, np.float32)
        self._reputation = _Reputation(none, none, 0.0, (-1, -1))
        self._popular, self._popular_due = none, 0.0
        self._categories: CategoryVectors | None = None

    # -------------------------------------------------------------- following

    @property
    def faults(self) -> list[str]:
        """What cannot serve, and why."""
        return list(self._refused.values())

    @property
    def personal(self) -> bool:
        """Whether the model that serves looks at who asks."""
        serving = self._serving
        return serving is not None and any(name.startswith("shopper_") for name in serving.ranker.names)

    @property
    def versions(self) -> dict[str, str]:
        """The models that serve, for the slate log."""
        serving, reading = self._serving, self._reading
        found = {RANKING: serving.version} if serving is not None else {}
        return found | ({CROSS_ENCODER: reading.version} if reading is not None else {})

    @property
    def rated(self) -> tuple[int, int]:
        """Of which ratings and which catalogue the products' reputations are."""
        return self._reputation.version

    def follow(self) -> bool:
        """Take in what changed: words of titles, ratings, popularity, and which model serves."""
        parts = self._parts
        groups = parts.stores.catalog.changed(self._seq, _BATCH)
        if groups:
            self._words.apply(groups)
            self._seq = max(g.seq for g in groups)
            if len(groups) == _BATCH:
                return True
        facts = parts.columns.facts
        version = (parts.hits.version, facts.version)
        if version != self._reputation.version:
            self._reputation = self._reputed(version)
        if time.monotonic() >= self._popular_due:
            self._popular_due = time.monotonic() + _POPULAR_EVERY_S
            ords, scores = parts.trending.now(now_ms())
            popular = np.zeros(len(facts.alive), np.float32)
            popular[ords[ords < len(popular)]] = np.log1p(1000 * scores[ords < len(popular)])
            self._popular = popular
        self._follow_categories()
        self._follow_models()
        return False

    def _follow_categories(self) -> None:
        pair = self._parts.meaning.now
        if pair is None:
            self._categories = None
            return
        known = self._categories
        if known is None or known.encoder_name != pair.encoder.name:
            known = CategoryVectors(pair.encoder)
        known.follow(self._parts.columns.facts.categories)
        self._categories = known

    def catch_up(self) -> None:
        """Follow until nothing is left."""
        while self.follow():
            pass

    def _follow_models(self) -> None:
        indexes = self._parts.indexes

        def ranking(fitted: Fitted, version: str) -> _Serving:
            ranker = indexes.open_ranker(fitted.files[MODEL_FILE], fitted.params["features"])
            return _Serving(version, ranker, clicked_of(fitted.arrays), str(fitted.params["encoder"]))

        def reading(fitted: Fitted, version: str) -> _Reading:
            reranker = indexes.open_reranker(fitted.files[MODEL_FILE].parent)
            return _Reading(version, reranker, float(fitted.params["weight"]), str(fitted.params["over"]))

        self._serving = self._taken_up(RANKING, self._serving, ranking)
        reads = self._parts.settings.search.reading_ms > 0
        self._reading = self._taken_up(CROSS_ENCODER, self._reading, reading) if reads else None

    def _taken_up(self, name: str, now: Model | None, make: Callable[[Fitted, str], Model]) -> Model | None:
        """The newest promoted version that can be used; the last good one where the files of a newer are damaged."""
        store = self._parts.stores.models
        for version in store.promoted(name):
            if now is not None and now.version == version:
                return now
            if (name, version) in self._refused:
                continue
            try:
                return make(stored(store, name, version), version)
            except (AisleError, KeyError, TypeError, ValueError) as error:
                self._refused[name, version] = f"model {name} {version}: {error}"
                log.error("%s", self._refused[name, version])
        return None

    def _reputed(self, version: tuple[int, int]) -> _Reputation:
        facts, ratings = self._parts.columns.facts, self._parts.hits.ratings
        sums, counts = np.zeros(len(facts.alive)), np.zeros(len(facts.alive))
        for item_id, (mean, n) in ratings.items():
            ord_ = facts.ord_of.get(item_id, -1)
            if ord_ >= 0:
                sums[ord_] += mean * n
                counts[ord_] += n
        usual = sums.sum() / counts.sum() if counts.any() else 0.0
        rating = (sums + _PRIOR_REVIEWS * usual) / (counts + _PRIOR_REVIEWS)
        return _Reputation(rating.astype(np.float32), np.log1p(counts).astype(np.float32), float(usual), version)

    # ----------------------------------------------------------------- asking

    def order(self, query: Query, found: Retrieved, shopper: Shopper | None = None, *, n_shown: int = 24) -> Ordered:
        """A score for each candidate; never raises for what a model does wrong.

        Without a model only the first `n_shown` are looked at closely, for the log.
        """
        weighed, serving, n = self.weigh(found), self._serving, len(found.ords)
        ranked_most = self._parts.settings.search.ranked
        if serving is not None and (serving.encoder != found.encoder or found.degraded or not ranked_most):
            serving = None  # it learned to weigh what another encoder says
        blended = weighed.blend
        rows = weighed.order[: n_shown if serving is None else ranked_most]
        plain = Ordered(blended, {"bm25": found.bm25, "cosine": found.cosine, "category": weighed.category})
        if not n:
            return plain
        try:
            clicked = serving.clicked if serving is not None else NOTHING_CLICKED
            columns = self.columns(query, found, weighed, rows, clicked, shopper=shopper)
            scores = blended
            if serving is not None:
                ranked = serving.ranker.score(matrix_of(columns, serving.ranker.names))
                if not np.isfinite(ranked).all():
                    raise ModelDamaged("scores that are not finite")
                # What was not ranked follows, in the order it came in.
                scores = blended - blended.max() + min(float(ranked.min()), 0.0) - 1.0
                scores[rows] = ranked
            scores = self._read_together(query, found, scores, RANKING if serving is not None else "")
        except (AisleError, RuntimeError, ValueError, IndexError) as error:
            log.warning("ordered by words and meaning only: %s", error)
            return Ordered(plain.scores, plain.features, ("ranking",))
        full = np.zeros((len(FEATURES), n), np.float32)
        full[:, rows] = [columns[name] for name in FEATURES]
        return Ordered(scores.astype(np.float32), dict(zip(FEATURES, full, strict=True)))

    def _read_together(self, query: Query, found: Retrieved, scores: Scores, over: str) -> Scores:
        reading, text = self._reading, query.semantic_text.strip()
        if reading is None or reading.over != over or not text or not len(scores):
            return scores
        best = np.argsort(-scores, kind="stable")[:TOGETHER]
        groups = self._parts.stores.catalog.groups(found.ords[best].tolist())
        logits = np.full(len(scores), np.nan, np.float32)
        logits[best] = reading.reranker.score(text, [text_of(g) if g is not None else "" for g in groups])
        return with_reading(scores, logits, reading.weight)

    def columns(
        self,
        query: Query,
        found: Retrieved,
        weighed: Weighed,
        rows: NDArray[np.intp],
        clicked: Clicked,
        *,
        shopper: Shopper | None = None,
        popular: Scores | None = None,
    ) -> dict[str, Scores]:
        """FEATURES of those rows of what was found, float32[len(rows)] each."""
        ords, table = found.ords[rows], self._words.table
        title, names = table.of(ords)
        looks = Looks(
            bm25=found.bm25[rows],
            cosine=found.cosine[rows],
            matched=found.matched[rows],
            blend=weighed.blend[rows],
            category=weighed.category[rows],
            asked=self._asked(query),
            named=Named(title, names, table.is_number),
            product=self._product(query, ords, clicked, self._popular if popular is None else popular),
            shopper=self.likeness(shopper, ords) if shopper is not None else {},
        )
        return feature_columns(looks)

    def weigh(self, found: Retrieved) -> Weighed:
        """Words and meaning as one score, and which candidates are worth a closer look."""
        search = self._parts.settings.search
        affinity, categories = np.zeros(len(found.ords), np.float32), self._categories
        # Just after another encoder was switched to, the names may still be in the space of the one before it.
        if found.vector is not None and categories is not None and categories.encoder_name == found.encoder:
            affinity = categories.affinity(found.vector, self._parts.columns.facts.category[found.ords])
        blended = blend(
            found.bm25,
            found.cosine,
            weight=search.dense_weight,
            matched=found.matched,
            bonus=search.match_bonus,
            affinity=affinity,
            affinity_weight=search.category_weight,
            prior=self._prior(found.ords),
        )
        return Weighed(blended, affinity, np.argsort(-blended, kind="stable"))

    def _prior(self, ords: Ords) -> Scores:
        """What speaks for a product whatever is asked: it decides between equals, and puts what is sold out last."""
        reputation = self._reputation
        known = _taken(reputation.n_reviews, ords) > 0
        liked = np.where(known, _taken(reputation.rating, ords) - reputation.usual, 0.0)
        gone = ~self._parts.columns.facts.in_stock[ords]
        popular = _taken(self._popular, ords) / _MOST_POPULAR
        prior: Scores = (_FOR_POPULAR * popular + _FOR_A_STAR * liked - _AGAINST_GONE * gone).astype(np.float32)
        return prior

    def _asked(self, query: Query) -> AskedWords:
        table = self._words.table
        forms: list[list[tuple[int, float]]] = []
        first: list[int] = []
        numbers: list[bool] = []
        for term in query.terms:
            found = [
                (table.code_of(token), weight)
                for text, weight in ((term.text, 1.0), *term.expansions)
                for token in tokens(text)
            ]
            if found:
                forms.append(found)
                first.append(next((code for code, _ in found if code >= 0), -1))
                numbers.append(any(c.isdigit() for c in term.text))
        rarity = table.rarity(np.array(first, np.int32)) if first else np.empty(0, np.float32)
        return asked_words(forms, rarity, np.array(numbers, np.bool_))

    def _product(self, query: Query, ords: Ords, clicked: Clicked, popular: Scores) -> dict[str, Scores]:
        facts, reputation = self._parts.columns.facts, self._reputation
        price = np.log1p(np.nan_to_num(facts.price[ords], nan=0.0))
        priced = price[price > 0]
        # Whole days: within one import the order of the feed would pass for age.
        age = (now_ms() - facts.first_seen_ms[ords]) // _DAY_MS
        return {
            "price": price,
            "price_place": np.where(price > 0, price - (np.median(priced) if len(priced) else 0.0), 0.0),
            "in_stock": facts.in_stock[ords],
            "on_offer_days": np.log1p(np.maximum(age, 0.0)),
            "rating": _taken(reputation.rating, ords),
            "n_reviews": _taken(reputation.n_reviews, ords),
            "popular": _taken(popular, ords),
            "clicked": clicked.column(query.text, ords),
        }

    def likeness(self, shopper: Shopper, ords: Ords) -> dict[str, Scores]:
        """SHOPPER_FEATURES of products, float32[n] each."""
        dense = self._parts.indexes.dense
        return likeness(shopper, ords, self._parts.columns.facts, dense.dense.vectors if dense is not None else None)


def clicked_of(arrays: Mapping[str, np.ndarray]) -> Clicked:
    """As it lies in a version: UTF-8 bytes of the queries, one a line, and the products of each."""
    if not len(arrays["clicked_ords"]):
        return NOTHING_CLICKED
    queries = arrays["clicked_queries"].tobytes().decode().split("\n")
    bounds, ords, scores = arrays["clicked_bounds"], arrays["clicked_ords"], arrays["clicked_scores"]
    if len(bounds) != len(queries) + 1 or len(ords) != len(scores) or bounds[-1] != len(ords):
        raise ValueError("what was clicked does not fit together")
    pairs = zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
    found = {query: (ords[a:b], scores[a:b]) for query, (a, b) in zip(queries, pairs, strict=True)}
    return Clicked(found)


def _taken(column: Scores, ords: Ords) -> Scores:
    """float32[n]: 0 for products newer than the column."""
    found = np.zeros(len(ords), np.float32)
    known = ords < len(column)
    found[known] = column[ords[known]]
    return found
