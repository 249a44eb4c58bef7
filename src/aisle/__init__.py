"""aisle, the discovery engine of an online shop.

>>> from aisle import Shop
>>> with Shop.open("myshop") as shop:
...     shop.import_products("feed.tsv")
...     for hit in shop.search("red hoodie under $60").hits:
...         print(hit.title, hit.price)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from aisle.errors import AisleError

if TYPE_CHECKING:
    from aisle.settings import Settings
    from aisle.shop import Shop
    from aisle.types import Event, EventItem, Hit, ImportSummary, Money, Product, Reason, Slate, Suggestion

__version__ = "0.1.0"

__all__ = [
    "AisleError",
    "Event",
    "EventItem",
    "Hit",
    "ImportSummary",
    "Money",
    "Product",
    "Reason",
    "Settings",
    "Shop",
    "Slate",
    "Suggestion",
]

_HOMES = {"Shop": "aisle.shop", "Settings": "aisle.settings"}


def __getattr__(name: str) -> Any:
    """Load a public name on first use: `import aisle` costs next to nothing."""
    if name not in __all__:
        raise AttributeError(f"module 'aisle' has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "aisle.types")), name)


def __dir__() -> list[str]:
    return sorted(__all__)
