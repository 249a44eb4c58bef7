"""The simulated world: what every product is, what every shopper wants, and the true probabilities.

Nothing here knows the recommender. A world is a pure function of its configuration,
so a figure measured against it can be measured again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from aisle.demo.kinds import KINDS
from aisle.demo.population import N_VIBES, Floats, Population, draw_population
from aisle.demo.words import BRANDS, COLOURS, STYLES
from aisle.errors import NotFound

DAY_MS = 86_400_000
DEFAULT_END_MS = 1_795_219_200_000
"""2026-11-21, 00:00 UTC: when the history ends unless the configuration says otherwise."""

MAX_COLOURS = 3
GENDERS = ("u", "m", "w")
_ID = re.compile(r"[A-Z](\d{5,})(?:-|$)")

Numbers: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class WorldConfig:
    """What a world is made from. `end_ms` is the end of its history (Unix ms, UTC), `language` en or zh."""

    n_groups: int = 3000
    n_shoppers: int = 4000
    seed: int = 7
    language: str = "en"
    currency: str = "USD"
    days: int = 30
    end_ms: int = DEFAULT_END_MS

    def __post_init__(self) -> None:
        if self.n_groups < 1 or self.n_shoppers < 1 or self.days < 1:
            raise ValueError("a world needs at least one product group, one shopper and one day")
        if self.language not in ("en", "zh"):
            raise ValueError(f"the demo speaks en and zh, not {self.language!r}")

    @property
    def price_scale(self) -> float:
        """What prices in this currency are against those of `Kind.price`, which are in dollars."""
        return 7.0 if self.currency == "CNY" else 1.0


@dataclass(frozen=True, slots=True)
class Need:
    """What a shopper came for. -1, or an infinite price, stands for "any"."""

    kind: int
    colour: int = -1
    feature: int = -1
    max_price: float = float("inf")


@dataclass(frozen=True, slots=True)
class Goods:
    """Truth about N product groups; row n is group number n.

    `price` is what one pays before a sale in currency units, `discount` the share taken
    off (0: no sale). `colours` int8[N, 3] pads with -1, `features` int8[N, 2] index the
    kind's own features, `look` chooses the picture. `styles` and `vibes` meet the
    shoppers' tastes; `quality` is a standard normal that everybody feels.
    """

    kind: NDArray[np.int16]
    brand: NDArray[np.int16]
    line: NDArray[np.int16]
    gender: NDArray[np.int8]
    colours: NDArray[np.int8]
    material: NDArray[np.int8]
    features: NDArray[np.int8]
    look: NDArray[np.int8]
    styles: Floats
    vibes: Floats
    quality: Floats
    price: Floats
    discount: Floats
    stock: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.kind)


@dataclass(frozen=True)
class World:
    """Products, shoppers and the true probabilities of their meetings; all drawn from `config`."""

    config: WorldConfig = field(default_factory=WorldConfig)

    @cached_property
    def goods(self) -> Goods:
        return draw_goods(self.config)

    @cached_property
    def shoppers(self) -> Population:
        return draw_population(self.config.n_shoppers, self.config.seed)

    # ------------------------------------------------------------- identity

    @property
    def start_ms(self) -> int:
        return self.config.end_ms - self.config.days * DAY_MS

    @cached_property
    def visitor_ids(self) -> tuple[str, ...]:
        return tuple(f"shopper-{number:05d}" for number in range(len(self.shoppers)))

    def visitor_number(self, visitor: str | int) -> int:
        """Raises NotFound for a visitor that is not of this world."""
        text = str(visitor).removeprefix("shopper-")
        if not text.isdigit() or int(text) >= len(self.shoppers):
            raise NotFound(f"no shopper {visitor!r} in this simulated world")
        return int(text)

    def group_id(self, number: int) -> str:
        return f"{KINDS[self.goods.kind[number]].department}{number:05d}"

    def numbers(self, items: Sequence[str] | Numbers) -> Numbers:
        """Group numbers int64[n] of item or group ids; -1 for ids that are not of this world."""
        if isinstance(items, np.ndarray):
            return items.astype(np.int64)
        found = [int(m[1]) if (m := _ID.match(item)) else -1 for item in items]
        return np.array([n if n < len(self.goods) else -1 for n in found], np.int64)

    # ---------------------------------------------------------------- truth

    def attraction(
        self, visitor: str | int, items: Sequence[str] | Numbers, time_ms: int | None = None, need: Need | None = None
    ) -> Floats:
        """How much a shopper wants each item: a logit, float32[n]. Unknown items get -30."""
        v, numbers = self.visitor_number(visitor), self.numbers(items)
        time_ms = self.config.end_ms if time_ms is None else time_ms
        who, goods = self.shoppers, self.goods
        known = numbers >= 0
        n = np.where(known, numbers, 0)
        kind = goods.kind[n]
        # tastes settle: what is asked long after the history is answered as three months after its start
        months = float(np.clip((time_ms - self.start_ms) / (30 * DAY_MS), 0, 3))
        style = who.styles[v] + who.style_drift[v] * np.float32(months)
        paid = self.prices[n]
        dear = np.maximum(np.log(paid) - self._usual_log_price[kind] - who.budget[v], 0)
        utility = (
            who.kinds[v][kind]
            + goods.styles[n] @ style
            + goods.vibes[n] @ who.vibes[v]
            + who.colours[v][goods.colours[n, 0]]
            + who.brands[v][goods.brand[n]]
            + 0.35 * goods.quality[n]
            + 1.2 * goods.discount[n]
            - who.thrift[v] * dear
            + self.season(time_ms)[kind]
        )
        gender = goods.gender[n]
        utility -= 2.5 * ((gender > 0) & (gender != who.gender[v]))
        if need is not None:
            utility += np.where(kind == need.kind, 2.0, -1.0)
            if need.colour >= 0:
                utility += np.where((goods.colours[n] == need.colour).any(1), 0.7, -0.7)
            if need.feature >= 0:
                utility += np.where((goods.features[n] == need.feature).any(1), 0.6, -0.3)
            utility -= 1.5 * (paid > need.max_price)
        return np.where(known, utility, -30).astype(np.float32)

    def p_click(
        self,
        visitor: str | int,
        items: Sequence[str] | Numbers,
        time_ms: int | None = None,
        position: Numbers | None = None,
        need: Need | None = None,
    ) -> Floats:
        """True probability of a click on each item, float32[n].

        Without `position` (0-based, int[n]) it is the probability given that the item is
        looked at; with it, times the probability that this place is looked at.
        """
        p = _sigmoid(self.attraction(visitor, items, time_ms, need) - 3.2)
        return p if position is None else p * examination(position)

    def p_cart(
        self, visitor: str | int, items: Sequence[str] | Numbers, time_ms: int | None = None, need: Need | None = None
    ) -> Floats:
        """True probability that an item whose page is read goes into the cart, float32[n]."""
        numbers = self.numbers(items)
        in_stock = self.goods.stock[np.maximum(numbers, 0)] > 0
        return _sigmoid(0.75 * self.attraction(visitor, numbers, time_ms, need) - 4.3) * in_stock

    def p_purchase(
        self, visitor: str | int, items: Sequence[str] | Numbers, time_ms: int | None = None, need: Need | None = None
    ) -> Floats:
        """True probability that an item whose page is read is bought, float32[n]."""
        return self.p_cart(visitor, items, time_ms, need) * np.float32(P_CHECKOUT * P_PAY)

    def season(self, time_ms: int) -> Floats:
        """What the time of the year adds to each kind's attraction, float32[kinds]."""
        month = (time_ms / DAY_MS % 365.25) / 365.25 * 12 + 1
        wave = 0.5 * np.cos((month - _PEAKS) / 12 * 2 * np.pi)
        return np.where(_PEAKS > 0, wave, 0).astype(np.float32)

    # ---------------------------------------------------------- the oracle

    @cached_property
    def prices(self) -> Floats:
        """What one pays now, float32[N]."""
        return (self.goods.price * (1 - self.goods.discount)).astype(np.float32)

    @cached_property
    def popularity(self) -> Floats:
        """Mean true click probability over the shoppers, weighted by how often each comes, float32[N]."""
        n_sampled = int(np.clip(2_000_000 // len(self.goods), 24, 600))
        rng = np.random.default_rng([self.config.seed, 21])
        weights = self.shoppers.activity / self.shoppers.activity.sum(dtype=np.float64)
        everything = np.arange(len(self.goods))
        total = np.zeros(len(self.goods), np.float64)
        for visitor in rng.choice(len(self.shoppers), n_sampled, p=weights / weights.sum()):
            total += self.p_click(int(visitor), everything)
        return (total / n_sampled).astype(np.float32)

    def popular_slate(self, top_k: int = 12) -> list[str]:
        """Group ids of what pleases most on average and can be bought."""
        return [self.group_id(n) for n in _best(np.where(self.goods.stock > 0, self.popularity, -1), top_k)]

    def oracle_slate(self, visitor: str | int, top_k: int = 12, time_ms: int | None = None) -> list[str]:
        """Group ids of the slate with the highest expected clicks among what can be bought."""
        p = self.p_click(visitor, np.arange(len(self.goods)), time_ms)
        return [self.group_id(n) for n in _best(np.where(self.goods.stock > 0, p, -1), top_k)]

    def slate_value(
        self, visitor: str | int, items: Sequence[str] | Numbers, time_ms: int | None = None, need: Need | None = None
    ) -> float:
        """Expected clicks on a slate: the sum over places of examination times p_click.

        A group shown again, as itself or as a variant, adds nothing.
        """
        numbers = self.numbers(items)
        if not len(numbers):
            return 0.0
        first = np.zeros(len(numbers), bool)
        first[np.unique(numbers, return_index=True)[1]] = True
        return float((self.p_click(visitor, numbers, time_ms, np.arange(len(numbers)), need) * first).sum())

    @cached_property
    def _usual_log_price(self) -> Floats:
        return np.log(np.array([kind.price * self.config.price_scale for kind in KINDS], np.float32))

    @cached_property
    def by_kind(self) -> tuple[Numbers, ...]:
        """For each kind its group numbers, ascending."""
        order = np.argsort(self.goods.kind, kind="stable")
        bounds = np.searchsorted(self.goods.kind[order], np.arange(len(KINDS) + 1))
        return tuple(order[a:b] for a, b in pairwise(bounds.tolist()))


_PEAKS = np.array([kind.season for kind in KINDS], np.float32)

P_CHECKOUT = 0.5
"""Probability that a filled cart goes to the checkout."""
P_PAY = 0.85
"""Probability that a checkout ends with a purchase."""


def examination(position: Numbers) -> Floats:
    """Probability that a 0-based place of a list is looked at: 1, .81, .68, … .29 at 12."""
    return (1 / (1 + 0.23 * np.asarray(position, np.float32)) ** 0.95).astype(np.float32)


def _sigmoid(x: Floats) -> Floats:
    return (1 / (1 + np.exp(-x))).astype(np.float32)


def _best(values: Floats, top_k: int) -> list[int]:
    top_k = min(top_k, len(values))
    best = np.argpartition(-values, top_k - 1)[:top_k]
    return [int(n) for n in best[np.lexsort((best, -values[best]))]]


def draw_goods(config: WorldConfig) -> Goods:
    """Draw the truth of every product group; text is written from it later, one group at a time."""
    rng = np.random.default_rng([config.seed, 1])
    n = config.n_groups
    weights = np.array([kind.n_usual for kind in KINDS])
    kind = rng.choice(len(KINDS), n, p=weights / weights.sum())
    kind[: min(n, len(KINDS))] = rng.permutation(len(KINDS))[:n]  # even a tiny shop has every kind it can
    uniform = rng.random((n, 8))

    def pick(sets: list[tuple[int, ...]], column: int) -> NDArray[np.int64]:
        """For each group one of its kind's choices."""
        sizes = np.array([len(s) for s in sets])
        table = np.zeros((len(sets), sizes.max()), np.int64)
        for row, s in zip(table, sets, strict=True):
            row[: len(s)] = s
        chosen: NDArray[np.int64] = table[kind, (uniform[:, column] * sizes[kind]).astype(np.int64)]
        return chosen

    makers = [tuple(i for i, b in enumerate(BRANDS) if k.department in b.departments) for k in KINDS]
    brand = pick(makers, 0)
    first = pick([tuple(range(len(k.features))) for k in KINDS], 1)
    second = pick([tuple(range(len(k.features))) for k in KINDS], 2)
    striped = np.array([k.features.index("striped") if "striped" in k.features else -1 for k in KINDS])[kind]
    is_striped = (striped >= 0) & ((first == striped) | (second == striped))
    look = np.where(is_striped, 2, np.array([0, 1, 3])[rng.integers(0, 3, n)])

    leading = np.array([b.styles for b in BRANDS])[brand, (uniform[:, 3] > 0.6).astype(int)]
    own = np.where(uniform[:, 4] < 0.3, rng.integers(0, len(STYLES), n), leading)
    styles = rng.dirichlet(np.full(len(STYLES), 0.5), n) * 0.35
    styles[np.arange(n), own] += 0.65
    brand_vibes = rng.normal(0, 1, (len(BRANDS), N_VIBES))
    vibes = 0.45 * brand_vibes[brand] + rng.normal(0, 0.9, (n, N_VIBES))
    quality = rng.normal(0, 1, n)
    usual = np.array([k.price for k in KINDS])[kind] * config.price_scale
    price = usual * np.array([b.level for b in BRANDS])[brand] * np.exp(rng.normal(0, 0.22, n) + 0.07 * quality)
    sizes = np.array([len(k.sizes) for k in KINDS])[kind]
    stock = np.where(rng.random(n) < 0.03, 0, rng.poisson(14, n) + 1) * np.maximum(sizes, 1)
    return Goods(
        kind=kind.astype(np.int16),
        brand=brand.astype(np.int16),
        line=rng.integers(0, 100, n).astype(np.int16),
        gender=pick([tuple(GENDERS.index(g) for g in k.gender) or (0,) for k in KINDS], 5).astype(np.int8),
        colours=_draw_colours(rng, kind, uniform[:, 6]),
        material=pick([tuple(range(len(k.materials))) for k in KINDS], 7).astype(np.int8),
        features=np.stack([first, second], 1).astype(np.int8),
        look=look.astype(np.int8),
        styles=(styles - 1 / len(STYLES)).astype(np.float32),
        vibes=(vibes * 0.45).astype(np.float32),
        quality=quality.astype(np.float32),
        price=(_yuan(price) if config.currency == "CNY" else _shop_price(price)).astype(np.float32),
        discount=np.where(rng.random(n) < 0.16, rng.choice([0.1, 0.15, 0.2, 0.3], n), 0).astype(np.float32),
        stock=stock.astype(np.int32),
    )


def _draw_colours(rng: np.random.Generator, kind: NDArray[np.int64], u: NDArray[np.float64]) -> NDArray[np.int8]:
    """One to three different colours of the kind's palette; things without sizes come in fewer."""
    order = rng.random((len(kind), len(COLOURS)))
    allowed = np.zeros((len(KINDS), len(COLOURS)), bool)
    for row, k in zip(allowed, KINDS, strict=True):
        row[list(k.palette)] = True
    order[~allowed[kind]] = 2
    colours = np.argsort(order, axis=1)[:, :MAX_COLOURS].astype(np.int8)
    one = np.array([k.department in "KCP" or k.department == "T" for k in KINDS])[kind]
    n_colours = np.where(one, 1 + (u > 0.85), 1 + (u > 0.4) + (u > 0.75))
    colours[np.arange(MAX_COLOURS) >= n_colours[:, None]] = -1
    return colours


def _shop_price(price: NDArray[np.float64]) -> NDArray[np.float64]:
    """Prices as shops write them: 12.90, 54.00, 129.00."""
    shop_price: NDArray[np.float64] = np.where(price < 30, np.maximum(np.floor(price), 3) + 0.9, np.round(price))
    return shop_price


def _yuan(price: NDArray[np.float64]) -> NDArray[np.float64]:
    """Prices as Chinese shops write them: 29.90, 89.00, 399.00."""
    shop_price: NDArray[np.float64] = np.where(
        price < 60, np.maximum(np.floor(price), 9) + 0.9, np.maximum(np.round(price / 10) * 10 - 1, 59)
    )
    return shop_price
