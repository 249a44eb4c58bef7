"""What the API's tests sell, and how they hold the server."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import FastAPI
from starlette.testclient import TestClient

from aisle.shop import Shop
from aisle.types import Money, Product

PASSWORD = "correct horse battery"


@dataclass
class Api:
    """The application of a shop, and a key of each scope."""

    shop: Shop
    app: FastAPI
    client: TestClient
    search: dict[str, str]
    events: dict[str, str]
    admin: dict[str, str]
    storefront: dict[str, str]


def small_catalogue() -> list[Product]:
    """Hoodies in variants, straps, watches."""
    made = [
        Product(
            item_id=f"H1-{color}-{size}", group_id="H1", title="Chaz Kangaroo Hoodie", brand="Acme", color=color,
            size=size, price=Money.parse("52.00 USD"), product_type="Men > Tops > Hoodies", gender="male",
            description="Ideal for cold-weather training. <b>Machine</b> wash.", image_link="/media/hoodie.jpg",
            attributes={"style": ("casual", "warm")},
        )
        for color in ("Red", "Blue") for size in ("S", "M")
    ]  # fmt: skip
    for i, (title, kind, price) in enumerate(
        [
            ("Yoga Strap 6 foot", "Gear > Fitness", "14.00"),
            ("Yoga Strap 8 foot", "Gear > Fitness", "17.00"),
            ("Sprite Foam Yoga Brick", "Gear > Fitness", "5.00"),
            ("Aim Analog Watch", "Gear > Watches", "45.00"),
            ("Dash Digital Watch", "Gear > Watches", "92.00"),
            ("تيشيرت رياضي 👕", "Men > Tops > Tees", "20.00"),
        ]
    ):
        made.append(Product(f"G{i}", title, price=Money.parse(f"{price} USD"), product_type=kind, brand="Zenith"))
    return made
