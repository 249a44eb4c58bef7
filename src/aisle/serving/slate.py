"""Ranked ords become the hits a shopper sees."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from aisle.index.documents import ALIASES
from aisle.ports import CatalogStore, ContentStore
from aisle.types import NOTHING, Availability, Clause, Group, Hit, Money, Ords, Product, Reason, Scores

_VARIANT_FIELDS = ("color", "size", "material", "pattern", "gender")


class _Card(NamedTuple):
    """What a hit says of the product alone."""

    item_id: str
    group_id: str
    title: str
    product_type: str
    brand: str
    price: Money | None
    sale_price: Money | None
    price_high: Money | None
    image_link: str
    link: str
    availability: Availability
    n_variants: int
    colors: tuple[str, ...]


class HitMaker:
    """Makes hits, remembering the parts that depend on the product alone. One thread follows the reviews, any ask."""

    def __init__(self, catalog: CatalogStore, content: ContentStore, cache_size: int = 20_000) -> None:
        self._catalog, self._content = catalog, content
        self.version = -1
        """Of the content whose ratings these are."""
        self.ratings: Mapping[str, tuple[float, int]] = NOTHING
        """Mean rating and number of reviews by item id; another mapping after a change."""
        self._cards: dict[tuple[int, int, tuple[Clause, ...]], _Card] = {}
        self._cache_size = cache_size

    def follow(self) -> bool:
        """Take in reviews that changed: all of them are summed up, which no shopper should wait for."""
        version = self._content.version()
        if version != self.version:
            self.ratings = self._content.ratings()
            self.version = version  # last: answers are remembered under it
        return False

    def hits(
        self,
        ords: Ords,
        scores: Scores,
        *,
        first_position: int = 0,
        wanted: Sequence[Clause] = (),
        sources: Sequence[tuple[str, ...]] | None = None,
        reasons: Callable[[int, Group], tuple[Reason, ...]],
        highlights: Callable[[str], str] | None = None,
    ) -> tuple[Hit, ...]:
        """One hit an ord that is still in the catalogue, in order.

        `wanted` are the clauses that choose which variant stands for its group
        (a search for "red hoodie" shows the red one). `reasons` gets the row.
        """
        plain = (replace(c, field=ALIASES.get(c.field.casefold(), c.field)) for c in wanted)
        clauses = tuple(c for c in plain if c.field in _VARIANT_FIELDS and c.values and not c.exclude)
        hits: list[Hit] = []
        ratings = self.ratings
        for row, group in enumerate(self._catalog.groups(ords.tolist())):
            if group is None or not group.products:
                continue
            card = self._card(group, clauses)
            rating, n_reviews = rating_of(group, ratings)
            hits.append(
                Hit(
                    card.item_id, card.group_id, card.title, float(scores[row]), first_position + len(hits),
                    card.product_type, card.brand, card.price, card.sale_price, card.price_high,
                    card.image_link, card.link, card.availability, card.n_variants, card.colors,
                    rating, n_reviews, sources[row] if sources else (), reasons(row, group),
                    {"title": highlights(card.title)} if highlights else NOTHING,
                )
            )  # fmt: skip
        return tuple(hits)

    def subjects(self, ords: Ords) -> list[tuple[str, str]]:
        """Title and item id of each product that a reason names; empty for -1 and what is gone."""
        groups = self._catalog.groups([o for o in ords.tolist() if o >= 0])
        known = {g.ord: (group_title(g), g.lead.item_id) for g in groups if g is not None and g.products}
        return [known.get(o, ("", "")) for o in ords.tolist()]

    def _card(self, group: Group, clauses: tuple[Clause, ...]) -> _Card:
        key = (group.ord, group.seq, clauses)
        card = self._cards.get(key)
        if card is None:
            if len(self._cards) >= self._cache_size:
                self._cards.clear()
            card = self._cards[key] = _card(group, clauses)
        return card


def rating_of(group: Group, ratings: Mapping[str, tuple[float, int]]) -> tuple[float | None, int]:
    """Mean rating over a group's variants, weighted by their reviews, and how many there are."""
    if not ratings:
        return None, 0
    found = [ratings[i] for i in dict.fromkeys((group.group_id, *(p.item_id for p in group.products))) if i in ratings]
    n_reviews = sum(n for _, n in found)
    return (sum(mean * n for mean, n in found) / n_reviews if n_reviews else None), n_reviews


def variant_for(group: Group, clauses: Sequence[Clause]) -> Product:
    """The variant that meets most of the clauses; among equals the first that can be bought."""
    if not clauses:
        return group.lead

    def fit(product: Product) -> tuple[int, bool]:
        met = sum(_lower(getattr(product, c.field)) in {_lower(v) for v in c.values} for c in clauses)
        return met, product.availability != "out_of_stock"

    return max(group.products, key=fit)


def _lower(text: str) -> str:
    return text.casefold()


def _card(group: Group, clauses: Sequence[Clause]) -> _Card:
    shown = variant_for(group, clauses)
    highest = None
    if len(group.products) > 1:
        prices = [p.current_price for p in group.products if p.current_price]
        highest = max(prices, key=lambda m: m.amount, default=None)
    varies = highest is not None and shown.current_price is not None and highest.amount > shown.current_price.amount
    return _Card(
        item_id=shown.item_id,
        group_id=group.group_id,
        title=group_title(group),
        product_type=shown.product_type,
        brand=shown.brand,
        price=shown.price,
        sale_price=shown.sale_price,
        price_high=highest if varies else None,
        image_link=shown.image_link or next((p.image_link for p in group.products if p.image_link), ""),
        link=shown.link,
        availability=shown.availability,
        n_variants=len(group.products),
        colors=tuple(dict.fromkeys(p.color for p in group.products if p.color)),
    )


def group_title(group: Group) -> str:
    """The title without what only tells variants apart.

    Feeds write "Chaz Hoodie-XS-Black" for each variant; a shopper looking at
    the group reads "Chaz Hoodie".
    """
    title = group.lead.title
    if len(group.products) < 2:
        return title
    lead = group.lead
    for value in (lead.color, lead.size, lead.color, lead.size):
        if value and len(title) > len(value) + 1 and title.casefold().endswith(value.casefold()):
            shorter = title[: -len(value)].rstrip()
            if shorter.endswith(("-", ",", "/", "|", "–", "·", "(")):
                title = shorter[:-1].rstrip()
    return title or lead.title


def new_list_id() -> str:
    """An unguessable name for one answer."""
    return secrets.token_urlsafe(12)
