"""What a shop sells, and what it publishes beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Literal, Self, TypeAlias

from aisle.types.arrays import NOTHING


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
        for product in self.products:
            if product.availability != "out_of_stock":
                return product
        return self.products[0]


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


@dataclass(frozen=True, slots=True)
class ItemPage:
    """All that a product page shows."""

    group: Group
    reviews: tuple[Review, ...] = ()
    n_reviews: int = 0
    rating: float | None = None
