"""The shopkeeper's tiles: sums over a period, rates, and how they moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_SUMMED = ("sessions", "visitors", "views", "clicks", "impressions", "carts", "purchases", "revenue", "searches")


def totals(days: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Sums over days, with `ctr` (clicks per item shown) and `cvr` (purchases per session), 0 when undefined.

    `visitors` is the sum of daily visitors: a shopper who came on two days counts twice.
    """
    found: dict[str, float] = {name: sum(day[name] for day in days) for name in _SUMMED}
    found["revenue"] = round(found["revenue"], 2)
    found["ctr"] = found["clicks"] / found["impressions"] if found["impressions"] else 0.0
    found["cvr"] = found["purchases"] / found["sessions"] if found["sessions"] else 0.0
    return found


def with_totals(overview: Mapping[str, Any], days: int) -> dict[str, Any]:
    """An overview of twice the period as one of the period: `days`, `totals`, and `previous` for comparison."""
    every = overview["days"]
    return {**overview, "days": every[-days:], "totals": totals(every[-days:]), "previous": totals(every[:-days])}
