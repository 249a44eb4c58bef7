"""The shopkeeper's desk: how the shop does, and what it knows of one shopper."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aisle.insight.overview import with_totals
from aisle.plain import plain
from aisle.types import now_ms

if TYPE_CHECKING:
    from aisle.parts import Parts


def status(parts: Parts) -> dict[str, Any]:
    """What the shop holds, how far its indexes are, which models serve."""
    n_products, n_groups = parts.stores.catalog.count()
    return {
        "name": parts.settings.shop.name,
        "products": n_products,
        "groups": n_groups,
        "events": parts.stores.events.last_seq(),
        "shoppers": len(parts.shoppers),
        **parts.health(),
        "encoder": parts.encoder_name or "none",
        "models": [f"{m.name} {m.version}{' (serves)' if m.active else ''}" for m in parts.stores.models.versions()],
    }


def overview(parts: Parts, days: int) -> dict[str, Any]:
    """What happened in the last days, beside the same number of days before them."""
    n_products, n_groups = parts.stores.catalog.count()
    found = with_totals(parts.stores.overview.overview(2 * days, now_ms()), days)
    found["totals"]["currency"] = parts.settings.shop.currency
    return {
        **found,
        "latency": parts.latencies.summary(),
        "models": [plain(m) for m in parts.stores.models.versions()],
        "catalogue": {"n_products": n_products, "n_groups": n_groups, **parts.health()},
    }


def erase(parts: Parts, visitor_id: str) -> dict[str, int]:
    """Forget a shopper: events, slates, and all state derived from them."""
    stores = parts.stores
    stores.slates.flush()
    counts = {"events": stores.events.erase(visitor_id), "slates": stores.slates.erase(visitor_id)}
    parts.replay.rebuild()
    parts.vocabulary.gather_suggestions()  # what only they and one other searched for is nobody's suggestion any more
    return counts


def export(parts: Parts, visitor_id: str) -> dict[str, Any]:
    """All that is stored about a shopper."""
    parts.stores.slates.flush()
    return {
        "events": [plain(logged.event) for logged in parts.stores.events.of_visitor(visitor_id)],
        "slates": parts.stores.slates.of_visitor(visitor_id),
    }
