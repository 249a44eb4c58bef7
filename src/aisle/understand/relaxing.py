"""Ever milder readings of a query that left no products: a guess must never empty the page."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from aisle.types import Query, Understood

LAST = ("price", "sale")
"""What is given up last: the shopper's own numbers are no guess."""


def relax(query: Query) -> list[Query]:
    """Readings that give up one condition, then more and more, the least sure first and the price last.

    What is given up still lifts the products that have it, and is named in `given_up`.
    """
    hard = [u for u in query.understood if u.hard]
    hard.sort(key=lambda u: (u.kind in LAST, u.confidence))
    groups: list[set[Understood]] = []
    for u in hard:  # "red or blue" is one condition
        same = next((g for g in groups for o in g if (o.kind, o.clause.exclude) == (u.kind, u.clause.exclude)), None)
        if same is not None and u.kind != "price":
            same.add(u)
        else:
            groups.append({u})
    one_by_one = [without_hard(query, group) for group in groups]
    return one_by_one + [without_hard(query, set().union(*groups[:n])) for n in range(2, len(groups) + 1)]


def without_hard(query: Query, given_up: Collection[Understood]) -> Query:
    """The same query with these conditions as wishes."""
    soft = tuple(replace(u, hard=False) if u in given_up else u for u in query.understood)
    named = tuple(u for u in query.understood if u in given_up)
    return replace(query, understood=soft, given_up=named)
