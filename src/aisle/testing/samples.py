"""Values that stores are tried with."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from aisle.types import Event, EventItem, Hit, Money, Product, Query, Slate

ODD_TEXT = 'snow\N{SNOWMAN} "quotes" \N{FACE WITH TEARS OF JOY}\N{RIGHT-TO-LEFT OVERRIDE}שלום\x00\t\n\\'
"""What a text may hold: emoji, right-to-left, a NUL, quotes."""

FULL_PRODUCT = Product(
    item_id="MH01-XS",
    title=ODD_TEXT,
    group_id="MH01",
    description="A hoodie.",
    link="https://shop.example/mh01",
    image_link="images/mh01.jpg",
    additional_image_links=("images/a.jpg", "images/b.jpg"),
    availability="out_of_stock",
    price=Money(Decimal("52.00")),
    sale_price=Money(Decimal("49.9"), "EUR"),
    brand="Luma",
    product_type="Men > Tops",
    additional_product_types=("Sale",),
    color="Red",
    size="XS",
    gender="male",
    material="Fleece",
    pattern="Solid",
    age_group="adult",
    condition="new",
    quantity=0,
    attributes={"climate": ("Cool", "Windy"), "eco": ("yes",)},
)

FULL_EVENT = Event(
    name="purchase",
    visitor_id="v\N{SNOWMAN}",
    items=(
        EventItem("MH01-XS", Money(Decimal("52.00")), 2, 3, "home"),
        EventItem("MH02", Money(Decimal("0.10"), "EUR")),
        EventItem("MH03"),
    ),
    time_ms=1_700_000_000_123,
    event_id="order-1",
    session_id="s1",
    user_id="u1",
    list_id="l1",
    query=ODD_TEXT,
    rating=4.5,
    value=Money(Decimal("104.10")),
    params={"coupon": "TEN", "n": 3, "share": 0.5, "gift": True},
)


def product(item_id: str, group_id: str = "", title: str = "") -> Product:
    return Product(item_id, title or f"Product {item_id}", group_id, price=Money(Decimal("9.99")))


def event(n: int, visitor_id: str = "v1") -> Event:
    return Event("view_item", visitor_id, (EventItem(f"P{n}"),), 1_000 + n, f"e{n}")


def slate(list_id: str, visitor_id: str = "v1", time_ms: int = 1_000) -> Slate:
    hits = tuple(
        Hit(f"P{n}", f"G{n}", "A title", 1.0 - n / 10, n, sources=("lexical", "dense") if n else ("lexical",))
        for n in range(2)
    )
    return Slate(
        list_id,
        "search",
        hits,
        visitor_id,
        Query("red hoodie"),
        n_hits=17,
        features={"bm25": (3.5, np.float32(1.5).item()), "cosine": np.asarray([0.5, 0.25])},  # type: ignore[dict-item]
        propensities=(1.0, 0.5),
        model_versions={"covisitation": "v1"},
        time_ms=time_ms,
    )
