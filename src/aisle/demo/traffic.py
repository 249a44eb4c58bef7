# ruff: noqa: E501
"""A month of traffic: shoppers come with a need, look, click, fill carts and buy.

What they are shown comes from simple lists (the most clicked so far, a category, plain
matching), never from the recommender; what they do comes from the world's true probabilities.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

import numpy as np

from aisle.demo.catalogue import category, variant_ids
from aisle.demo.kinds import KIND_INDEX, KINDS
from aisle.demo.queries import matches, write_query
from aisle.demo.world import DAY_MS, P_CHECKOUT, P_PAY, Need, Numbers, World, examination
from aisle.types import Event, EventItem, Money

HOUR_SHARE = np.array(
    [1, 0.6, 0.4, 0.3, 0.3, 0.5, 1.2, 2.2, 3.2, 3.8, 4.2, 4.6, 5.2, 4.8, 4.2, 4, 4.2, 4.8, 6, 7.4, 8.4, 8.6, 6.4, 3.2]
)
"""How busy each hour of the day (UTC) is, up to a factor."""

LIST_LENGTH = 12


@dataclass(slots=True)
class _Session:
    """What happens in one visit, as it is being written."""

    visitor: int
    session_id: str
    time_ms: int
    need: Need
    rng: Random
    events: list[Event] = field(default_factory=list)
    cart: dict[int, EventItem] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)


class Traffic:
    """Writes sessions. One object, one history: it keeps click counts and what each shopper bought."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.rng = np.random.default_rng([world.config.seed, seed, 31])
        n = len(world.goods)
        # a new shop knows nothing: a little noise stands for the order in which goods arrived
        self.clicks = self.rng.random(n).astype(np.float32) * 0.5
        self.in_stock = world.goods.stock > 0
        self.bought: dict[int, dict[int, int]] = {}
        self._popular: Numbers = np.empty(0, np.int64)
        self.refresh()

    def refresh(self) -> None:
        """Rank the shop anew by the clicks so far (once a day, as simple shops do)."""
        order = np.argsort(-self.clicks, kind="stable")
        self._popular = order[self.in_stock[order]]

    # -------------------------------------------------------------- a visit

    def session(self, visitor: int, time_ms: int, session_id: str) -> list[Event]:
        """The events of one visit, in time order."""
        rng = Random(int(self.rng.integers(2**62)))
        s = _Session(visitor, session_id, time_ms, self.need(visitor, time_ms, rng), rng)
        entry = rng.random()
        if entry < 0.5:
            self._search(s)
        elif entry < 0.8:
            self._home(s)
        else:
            self._category(s)
        while rng.random() < 0.42 and len(s.events) < 120:
            next_step = rng.random()
            if next_step < 0.45:
                self._search(s)
            elif next_step < 0.75:
                self._category(s)
            else:
                self._home(s)
        self._leave(s)
        return s.events

    def need(self, visitor: int, time_ms: int, rng: Random) -> Need:
        """What brings the shopper: something used up, something that goes with the last purchase, or a taste."""
        world = self.world
        bought = self.bought.get(visitor, {})
        kind = -1
        draw = rng.random()
        if bought and draw < 0.3:
            used_up = [
                k for n, when in bought.items()
                if (k := KINDS[world.goods.kind[n]]).repurchase_days and time_ms - when > 0.6 * k.repurchase_days * DAY_MS
            ]  # fmt: skip
            if used_up:
                kind = KIND_INDEX[rng.choice(used_up).key]
        if kind < 0 and bought and draw < 0.5:
            companions = KINDS[world.goods.kind[next(reversed(bought))]].companions
            if companions:
                kind = KIND_INDEX[rng.choice(companions)]
        if kind < 0:
            want = world.shoppers.kinds[visitor] + world.season(time_ms)
            p = np.exp(1.3 * (want - want.max()))
            kind = int(np.searchsorted(np.cumsum(p), rng.random() * p.sum()))
        k = KINDS[min(kind, len(KINDS) - 1)]
        colour = feature = -1
        price = float("inf")
        if rng.random() < 0.35:
            liked = world.shoppers.colours[visitor][list(k.palette)]
            p = np.exp(1.5 * liked)
            colour = k.palette[min(int(np.searchsorted(np.cumsum(p), rng.random() * p.sum())), len(k.palette) - 1)]
        if rng.random() < 0.25:
            feature = rng.randrange(len(k.features))
        if rng.random() < 0.1:
            limit = k.price * world.config.price_scale * rng.uniform(0.7, 1.3)
            price = float(round(limit / 5) * 5 or 5)
        return Need(KIND_INDEX[k.key], colour, feature, price)

    # ---------------------------------------------------------------- lists

    def _search(self, s: _Session) -> None:
        gender = int(self.world.shoppers.gender[s.visitor])
        query = write_query(self.world, s.need, gender, s.rng)
        found = matches(self.world, s.need, query)
        self._pass(s, 3, 12)
        self._event(s, "search", query=query)
        if len(found):
            ranked = found[np.argsort(-self.clicks[found], kind="stable")]
            self._list(s, ranked[: 2 * LIST_LENGTH], "search_results", query=query)

    def _category(self, s: _Session) -> None:
        found = self.world.by_kind[s.need.kind]
        if len(found):
            ranked = found[np.argsort(-self.clicks[found], kind="stable")]
            self._list(s, ranked[: 2 * LIST_LENGTH], category(self.world, int(found[0])))

    def _home(self, s: _Session) -> None:
        """The most clicked, of which each visit sees its own part: popular pages rotate."""
        top = self._popular[: 8 * LIST_LENGTH]
        keys = np.array([s.rng.random() for _ in top]) ** (np.arange(len(top)) * 0.05 + 1)
        self._list(s, top[np.argsort(-keys, kind="stable")][: 2 * LIST_LENGTH], "home", need=None)

    def _similar(self, s: _Session, number: int) -> None:
        goods = self.world.goods
        found = self.world.by_kind[int(goods.kind[number])]
        found = found[found != number]
        if len(found):
            near = goods.styles[found] @ goods.styles[number] * 3 + (
                goods.colours[found, 0] == goods.colours[number, 0]
            )
            near = near + 0.3 * np.log1p(self.clicks[found])
            self._list(s, found[np.argsort(-near, kind="stable")][:LIST_LENGTH], "similar", depth=1)

    def _together(self, s: _Session, number: int) -> None:
        companions = KINDS[self.world.goods.kind[number]].companions
        pools = [self.world.by_kind[KIND_INDEX[key]] for key in companions]
        found = np.concatenate([pool[np.argsort(-self.clicks[pool], kind="stable")][:6] for pool in pools])
        self._list(s, found[:LIST_LENGTH], "together", need=None, depth=1, lift=1.2)

    def _list(
        self, s: _Session, numbers: Numbers, name: str, *, query: str = "", need: Need | str | None = "own",
        depth: int = 0, lift: float = 0.0,
    ) -> None:  # fmt: skip
        """Show a list page by page; what is clicked follows the true probabilities and the place."""
        wanted = s.need if need == "own" else None
        for page in range(0, len(numbers), LIST_LENGTH):
            shown = numbers[page : page + LIST_LENGTH]
            self._pass(s, 2, 8)
            items = tuple(
                EventItem(variant_ids(self.world, int(n))[0], index=page + i, item_list_id=name)
                for i, n in enumerate(shown)
            )
            self._event(s, "view_item_list", items, query=query)
            p = self.world.p_click(s.visitor, shown, s.time_ms, np.arange(len(shown)), wanted)
            if lift:  # a companion of what is being looked at is wanted a little more
                p = np.minimum(p * np.float32(np.exp(lift)), examination(np.arange(len(shown))))
            for i in np.flatnonzero(np.array([s.rng.random() for _ in shown]) < p):
                number = int(shown[i])
                if number not in s.seen or s.rng.random() < 0.15:
                    self._visit(s, number, items[i], wanted, query, depth)
            if s.rng.random() > 0.3:
                break

    # ------------------------------------------------------------ one item

    def _visit(self, s: _Session, number: int, shown: EventItem, need: Need | None, query: str, depth: int) -> None:
        world = self.world
        s.seen.add(number)
        self.clicks[number] += 1
        self._pass(s, 2, 10)
        self._event(s, "select_item", (shown,), query=query)
        self._pass(s, 1, 2)
        item = self._choice(s, number, shown.item_list_id)
        self._event(s, "view_item", (item,))
        one = np.array([number])
        p_cart = float(world.p_cart(s.visitor, one, s.time_ms, need)[0])
        when = self.bought.get(s.visitor, {}).get(number)
        if when is not None and not KINDS[world.goods.kind[number]].repurchase_days:
            p_cart *= 0.05  # it is at home already
        self._pass(s, 8, 60)
        if s.rng.random() < p_cart:
            self._event(s, "add_to_cart", (item,))
            s.cart[number] = item
        elif s.rng.random() < 0.25 * p_cart:
            self._event(s, "add_to_wishlist", (item,))
        if depth == 0 and s.rng.random() < 0.15:
            self._similar(s, number)
        if depth == 0 and s.rng.random() < (0.4 if number in s.cart else 0.06):
            self._together(s, number)

    def _choice(self, s: _Session, number: int, list_name: str) -> EventItem:
        """The variant the shopper picks: mostly the leading colour, always the own size."""
        ids = variant_ids(self.world, number)
        n_sizes = max(1, len(KINDS[self.world.goods.kind[number]].sizes))
        colour = 0 if s.rng.random() < 0.7 else s.rng.randrange(len(ids) // n_sizes)
        item_id = ids[colour * n_sizes + s.visitor % n_sizes]
        price = Money(Decimal(f"{float(self.world.prices[number]):.2f}"), self.world.config.currency)
        return EventItem(item_id, price=price, item_list_id=list_name)

    def _leave(self, s: _Session) -> None:
        """The cart goes to the checkout, or not."""
        if s.cart and s.rng.random() < 0.12:
            number = s.rng.choice(list(s.cart))
            self._pass(s, 3, 20)
            self._event(s, "remove_from_cart", (s.cart.pop(number),))
        if not s.cart or s.rng.random() > P_CHECKOUT:
            return
        items = tuple(s.cart.values())
        total = sum((item.price.amount for item in items if item.price), Decimal(0))
        value = Money(total, self.world.config.currency)
        self._pass(s, 10, 60)
        self._event(s, "begin_checkout", items, value=value)
        if s.rng.random() > P_PAY:
            return
        self._pass(s, 40, 180)
        self._event(s, "purchase", items, value=value)
        for number in s.cart:
            self.bought.setdefault(s.visitor, {})[number] = s.time_ms
            self.clicks[number] += 3

    def _pass(self, s: _Session, low_s: float, high_s: float) -> None:
        s.time_ms += int(1000 * s.rng.uniform(low_s, high_s))

    def _event(
        self, s: _Session, name: str, items: tuple[EventItem, ...] = (), *, query: str = "", value: Money | None = None
    ) -> None:
        s.events.append(
            Event(
                name=name, visitor_id=self.world.visitor_ids[s.visitor], items=items, time_ms=s.time_ms,
                event_id=f"{s.session_id}-{len(s.events)}", session_id=s.session_id, query=query, value=value,
            )
        )  # fmt: skip


def simulate(world: World, days: int | None = None, n_shoppers: int | None = None, seed: int = 1) -> Iterator[Event]:
    """The history of the shop in time order, ending before `world.config.end_ms`.

    `n_shoppers` confines it to the first so many. The same world and seed give the same events.
    """
    days = days or world.config.days
    n_shoppers = min(n_shoppers or len(world.shoppers), len(world.shoppers))
    traffic = Traffic(world, seed)
    rng = np.random.default_rng([world.config.seed, seed, 32])
    activity = world.shoppers.activity[:n_shoppers]
    night = world.shoppers.night[:n_shoppers]
    hours = HOUR_SHARE / HOUR_SHARE.sum()
    waiting: list[tuple[int, int, Event]] = []
    number = n_events = 0
    for day in range(days):
        day_ms = world.config.end_ms - (days - day) * DAY_MS
        weekday = (day_ms // DAY_MS + 3) % 7  # 1970-01-01 was a Thursday; 0 is Monday
        visits = np.flatnonzero(rng.random(n_shoppers) < activity * (1.35 if weekday >= 5 else 0.95))
        hour = rng.choice(24, len(visits), p=hours)
        late = rng.random(len(visits)) < night[visits] * 0.5
        hour = np.where(late, rng.choice([20, 21, 22], len(visits)), hour)
        starts = day_ms + hour * 3_600_000 + rng.integers(0, 3_600_000, len(visits))
        order = np.argsort(starts, kind="stable")
        traffic.refresh()
        for visitor, start in zip(visits[order].tolist(), starts[order].tolist(), strict=True):
            # sessions overlap: what happened before this one began is final
            while waiting and waiting[0][0] <= start:
                yield heapq.heappop(waiting)[2]
            for event in traffic.session(visitor, start, f"s{seed}-{number:06d}"):
                if event.time_ms < world.config.end_ms:
                    heapq.heappush(waiting, (event.time_ms, n_events, event))
                    n_events += 1
            number += 1
    while waiting:
        yield heapq.heappop(waiting)[2]
